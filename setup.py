import atexit
import shutil
import tempfile
from pathlib import Path

from setuptools import setup


def shared(*patterns: str) -> list[tuple[str, list[str]]]:
    """Return matching files with their destination, PREFIX/share/enet_ros as with colcon."""
    files = [path for pattern in patterns for path in Path().glob(pattern) if path.is_file()]
    return [(str(Path('share/enet_ros', path).parent), [str(path)]) for path in sorted(files)]


# Build outside the source tree, which pip otherwise leaves with build/ and *.egg-info.
build = tempfile.mkdtemp(prefix='enet_ros_build_')
atexit.register(shutil.rmtree, build, ignore_errors=True)
setup(data_files=shared('package.xml', 'config/**/*', 'models/**/*'),
      options={'build': {'build_base': build}, 'egg_info': {'egg_base': build}})
