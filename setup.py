"""Build the part that needs no ROS, and the engine `native` if CMake and a compiler are found."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1
    from wheel.bdist_wheel import bdist_wheel

# Build outside the source tree, which pip otherwise leaves with build/ and *.egg-info.
build = tempfile.mkdtemp(prefix='enet_ros_build_')
atexit.register(shutil.rmtree, build, ignore_errors=True)


@cache
def native_library() -> Path | None:
    """Build the library of the engine `native`; return None, after a message, if that fails."""
    folder = Path(build, 'native')
    library = folder / 'libenet_native.so'
    compiler = os.environ.get('CXX', 'c++').split()[0]
    missing = [tool for tool in ('cmake', compiler) if not shutil.which(tool)]
    if missing:
        reason = f'{" and ".join(missing)} not found'
    else:
        reason = run('cmake', '-S', 'enet_ros/native', '-B', folder / 'build',
                     '-DENET_NATIVE_DESTINATION=.') or run(
            'cmake', '--build', folder / 'build', '--parallel', str(os.cpu_count())) or run(
            'cmake', '--install', folder / 'build', '--prefix', folder)
        if not reason and not library.is_file():
            reason = 'the compiler does not support it'
    if reason:
        print(f'enet_ros: installed without the engine native: {reason}', file=sys.stderr)
        return None
    return library


def run(*command: str | Path) -> str:
    """Run a command; return '' or, if it fails, the first error of its output."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if not result.returncode:
        return ''
    lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    start = next((n for n, line in enumerate(lines) if 'error' in line.lower()), -1)
    return f'{command[0]} failed: {" ".join(lines[start:][:2])}'


class BuildPackage(build_py):
    """Add the library to the Python files."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode and native_library():
            target = Path(self.build_lib, 'enet_ros/native')
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(native_library(), target)


class BuildWheel(bdist_wheel):
    """Tag a wheel that contains the library for the platform, and for every Python 3."""

    def run(self) -> None:
        self.root_is_pure = native_library() is None
        self.distribution.has_library = not self.root_is_pure
        super().run()

    def get_tag(self) -> tuple[str, str, str]:
        tag = super().get_tag()
        return tag if self.root_is_pure else ('py3', 'none', tag[2])


class Package(Distribution):
    has_library = False

    def has_ext_modules(self) -> bool:
        return self.has_library


def shared(*patterns: str) -> list[tuple[str, list[str]]]:
    """Return matching files with their destination, PREFIX/share/enet_ros as with colcon."""
    files = [path for pattern in patterns for path in Path().glob(pattern) if path.is_file()]
    return [(str(Path('share/enet_ros', path).parent), [str(path)]) for path in sorted(files)]


setup(distclass=Package,
      cmdclass={'build_py': BuildPackage, 'bdist_wheel': BuildWheel},
      data_files=shared('package.xml', 'config/**/*', 'models/**/*', 'msg/*'),
      options={'build': {'build_base': build}, 'egg_info': {'egg_base': build}})
