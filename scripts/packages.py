"""Print the packages that the environment of this checkout needs, as a pip requirements file.

usage: packages.py ROOT DISTRO wheels|installed

With `wheels`, these are all packages. With `installed` (for an installed ROS 2), only those that
the running Python lacks: the system's OpenCV, NumPy and CUDA build of torch are kept.
"""

import configparser
import importlib.util
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement

MODULES = {'opencv-python-headless': 'cv2', 'pyyaml': 'yaml'}


def declared(root: Path) -> list[Requirement]:
    """Return the requirements in setup.cfg, with all extras."""
    config = configparser.ConfigParser()
    config.read(root / 'setup.cfg')
    groups = [config['options']['install_requires'], *config['options.extras_require'].values()]
    return [Requirement(line) for line in '\n'.join(groups).split('\n') if line]


def is_met(requirement: Requirement) -> bool:
    """Return whether the running Python can import the package in a suitable version."""
    if importlib.util.find_spec(MODULES.get(requirement.name, requirement.name)) is None:
        return False
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:  # Debian's OpenCV has no package metadata
        return True


def pins(root: Path) -> dict[str, str]:
    """Return the lines of constraints.txt by package name in lower case."""
    lines = (root / 'constraints.txt').read_text().split('\n')
    return {line.split('==')[0].lower(): line for line in lines if '==' in line}


def main(folder: str, distro: str, kind: str) -> None:
    root = Path(folder)
    if kind == 'wheels':
        print(f'-c {root}/constraints.txt')
        print(f'-r {root}/requirements/{distro}.txt')
        print(*declared(root), 'colcon-common-extensions', 'setuptools', sep='\n')
        return
    missing = [requirement for requirement in declared(root) if not is_met(requirement)]
    if shutil.which('colcon') is None:
        missing.append(Requirement('colcon-common-extensions'))
    pinned = pins(root)
    print('setuptools<80')  # colcon and ament use commands that later versions removed
    if importlib.util.find_spec('numpy') and version('numpy').startswith('1.'):
        print('numpy<2')  # rclpy's messages were compiled for NumPy 1 and cannot load NumPy 2
        del pinned['numpy']
    print(*(pinned.get(requirement.name, requirement) for requirement in missing), sep='\n')


main(*sys.argv[1:])
