from pathlib import Path

from setuptools import setup


def shared(*patterns):
    """Return the matching files with their place, PREFIX/share/enet_ros, as colcon has it."""
    files = [path for pattern in patterns for path in Path().glob(pattern) if path.is_file()]
    return [(str(Path('share/enet_ros', path).parent), [str(path)]) for path in sorted(files)]


setup(data_files=shared('package.xml', 'config/**/*', 'models/**/*'))
