"""Print, as a pip requirements file, what the environment of this checkout needs.

usage: packages.py ROOT DISTRO wheels|installed

With `wheels`, that is everything. With `installed` (ROS 2 is there already), only what the
running Python lacks: a robot's own OpenCV, NumPy and CUDA build of torch stay as they are.
"""

import configparser
import importlib.util
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement

MODULES = {'opencv-python-headless': 'cv2', 'pyyaml': 'yaml'}


def declared(root):
    """Return what setup.cfg asks for, with all its extras, as a list of Requirement."""
    config = configparser.ConfigParser()
    config.read(root / 'setup.cfg')
    groups = [config['options']['install_requires'], *config['options.extras_require'].values()]
    return [Requirement(line) for line in '\n'.join(groups).split('\n') if line]


def is_met(requirement):
    """Tell whether the running Python can import the package, in a version that will do."""
    if importlib.util.find_spec(MODULES.get(requirement.name, requirement.name)) is None:
        return False
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:  # Debian's OpenCV says nothing of itself to pip
        return True


def pins(root):
    """Return the lines of constraints.txt by the lower-case name of their package."""
    lines = (root / 'constraints.txt').read_text().split('\n')
    return {line.split('==')[0].lower(): line for line in lines if '==' in line}


def main(root, distro, kind):
    root = Path(root)
    if kind == 'wheels':
        print(f'-c {root}/constraints.txt')
        print(f'-r {root}/requirements/{distro}.txt')
        print(*declared(root), 'colcon-common-extensions', 'setuptools', sep='\n')
        return
    missing = [requirement for requirement in declared(root) if not is_met(requirement)]
    if shutil.which('colcon') is None:
        missing.append(Requirement('colcon-common-extensions'))
    pinned = pins(root)
    print('setuptools<80')  # colcon and ament use commands that later ones no longer have
    if importlib.util.find_spec('numpy') and version('numpy').startswith('1.'):
        print('numpy<2')  # rclpy's messages, compiled for NumPy 1, cannot load NumPy 2
        del pinned['numpy']
    print(*(pinned.get(requirement.name, requirement) for requirement in missing), sep='\n')


main(*sys.argv[1:])
