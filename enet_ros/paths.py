"""Paths that users write, output folders, installed files, and the atomic write."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from enet_ros.errors import BadInput

MAX_NAME_BYTES = 255  # of a file or folder, on the file systems of Linux
MAX_PATH_BYTES = 3000  # Linux takes 4095, of which the working folder may be a part


def user_path(text: str | os.PathLike[str]) -> Path:
    """Return a path that a user wrote, with a leading ~ expanded.

    ~NAME of an unknown user stays as it is, so that the error names the path as it was given.
    Raise BadInput where `check_path` does.
    """
    check_path(text)
    return Path(os.path.expanduser(text))


def check_path(text: str | os.PathLike[str]) -> None:
    """Raise BadInput for a text that no file system takes as a path."""
    try:
        encoded = os.fsencode(text)
    except UnicodeEncodeError:
        encoded = b'\0'
    longest = max(map(len, encoded.split(b'/')))
    if b'\0' in encoded or longest > MAX_NAME_BYTES or len(encoded) > MAX_PATH_BYTES:
        raise BadInput(f'{os.fspath(text)!r} is no path: names of files have no null characters '
                       f'and at most {MAX_NAME_BYTES} bytes, and paths {MAX_PATH_BYTES}')


def share_folder() -> Path:
    """Return the folder of the files installed with the package: models/, config/ and so on."""
    package = Path(__file__).parent
    # Beside the package in a checkout; in PREFIX/share where pip or colcon installed it.
    candidates = [package.parent,
                  *(prefix / 'share' / 'enet_ros' for prefix in package.parents)]
    for folder in candidates:
        if (folder / 'package.xml').is_file():
            return folder
    return package.parent


@contextmanager
def temporary_files() -> Iterator[None]:
    """Raise BadInput for an OSError in the with statement, which writes temporary files."""
    try:
        yield
    except OSError as error:
        raise BadInput(f'cannot write a temporary file: {error.strerror}; free space in '
                       f'{tempfile.gettempdir()}, or set TMPDIR') from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that readers see either the old content or all of the new one.

    The data goes into a temporary file beside `path`, which then replaces it. An OSError passes
    through; the temporary file is removed.
    """
    part = path.with_name(f'{path.name}.{os.getpid()}.part')
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


class OutputFolder:
    """A folder for results, created at once so that a bad path fails before the work starts.

    out: path as the user wrote it. option: the option that names it, for errors. Raise BadInput
    if the folder cannot be created.
    """

    def __init__(self, out: str | os.PathLike[str], option: str = '--out') -> None:
        self.path = user_path(out)
        self.option = option
        self.make()

    def make(self, name: str = '') -> Path:
        """Create the folder, or its subfolder `name`, if it is missing, and return its path."""
        folder = self.path / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.not_writable(error) from error
        return folder

    def write_text(self, name: str, text: str) -> None:
        """Write a text file as `write_bytes` does."""
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write a file, all of it or nothing; raise BadInput if it cannot be written."""
        try:
            write_atomically(self.path / name, data)
        except OSError as error:
            raise self.not_writable(error) from error

    def not_writable(self, error: OSError) -> BadInput:
        """Return the BadInput that reports an OSError while writing to this folder."""
        return BadInput(f'cannot write to {self.path}: {error.strerror}; choose another '
                        f'{self.option}')
