"""A folder that results are written to."""

from enet_ros.errors import BadInput
from enet_ros.user_path import user_path


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
