"""Reading of files that may hold anything."""

import os

from enet_ros.errors import BadInput


def read_input(path: str | os.PathLike[str], limit: int, what: str) -> bytes:
    """Return the content of a file of at most `limit` bytes.

    what: the kind of file, such as 'a YAML file', for errors. Raise BadInput if the file cannot be
    read or is longer.
    """
    try:
        with open(path, 'rb') as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f'cannot read {path}: {reason}; name {what}') from error
    if len(data) > limit:
        raise BadInput(f'{path} is longer than the {limit:,} bytes that {what} may have; name '
                       'another, or split it')
    return data
