"""A folder for what takes long to build, so that later starts find it there."""

import hashlib
import os
from pathlib import Path

from enet_ros.logger import logger
from enet_ros.paths import user_path, write_atomically

DIGEST_BYTES = 32


def cache_folder(asked=''):
    """Return the folder `asked` for, or enet_ros in the user's cache folder; None if unwritable.

    It is made where it is missing. One that cannot be written is reported in the log: what would
    be in it is then built at every start.
    """
    default = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'enet_ros'
    folder = user_path(asked) if asked else default
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
    else:
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
        reason = 'Permission denied'
    logger.warning('cannot write to the cache folder %s (%s): every start builds anew; name '
                   'another with model.cache_folder', folder, reason)
    return None


def cached(folder, name, build):
    """Return the bytes that `build()` gives, from a file in `folder` where they are kept.

    The name must say all that the bytes depend on. A damaged file is built again. With folder
    None nothing is kept.
    """
    if folder is None:
        return build()
    file = folder / name
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        data = b''
    except OSError as error:
        logger.warning('cannot read %s (%s): it is built anew', file, error.strerror)
        data = b''
    content = data[DIGEST_BYTES:]
    if content and hashlib.sha256(content).digest() == data[:DIGEST_BYTES]:
        return content
    if data:
        logger.warning('%s is damaged and is built anew', file)
    content = build()
    try:
        write_atomically(file, hashlib.sha256(content).digest() + content)
    except OSError as error:
        logger.warning('cannot keep %s (%s)', file, error.strerror)
    return content
