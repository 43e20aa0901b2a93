"""Paths: those that users write, output folders, and the files that ship beside the package."""

import os
from pathlib import Path

from enet_ros.errors import BadInput


def user_path(text):
    """Return the Path that a text names, with ~ as the home folder.

    The name of a user who does not exist stays as it is, so that what is then missing is named
    as it was given.
    """
    return Path(os.path.expanduser(text))


def share_folder():
    """Return the folder of the files that ship beside the package: models/, config/ and so on."""
    package = Path(__file__).parent
    # Beside the package in a checkout; in PREFIX/share where pip or colcon installed it.
    places = package.parent, *(prefix / 'share' / 'enet_ros' for prefix in package.parents)
    return next((place for place in places if (place / 'package.xml').is_file()), package.parent)


class OutputFolder:
    """A folder for results; made at once: a bad place shows early, as BadInput."""

    def __init__(self, out):
        self.path = user_path(out)
        self.make()

    def make(self, name=''):
        """Return the folder, or the one called `name` in it, made where it is missing."""
        folder = self.path / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.not_writable(error) from error
        return folder

    def not_writable(self, error):
        """Return the BadInput for an OSError of writing here."""
        return BadInput(f'cannot write to {self.path}: {error.strerror}; choose another --out')
