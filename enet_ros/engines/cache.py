"""The cache folder: files that take long to build, kept for later starts."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from enet_ros.logger import logger
from enet_ros.paths import user_path, write_atomically

DIGEST_BYTES = 32  # a SHA-256 digest precedes the content of each file


def cache_folder(path: str | os.PathLike[str] = '') -> Path | None:
    """Create the cache folder if it is missing and return it; None if it is not writable.

    An empty path means enet_ros in the user's cache folder. A folder that is not writable is
    logged as a warning: every start then builds everything again.
    """
    default = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'enet_ros'
    folder = user_path(path) if path else default
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
    else:
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
        reason = 'Permission denied'
    logger.warning('cannot write to the cache folder %s (%s), so every start rebuilds its '
                   'content; choose another folder with model.cache_folder', folder, reason)
    return None


def load_or_build(folder: Path | None, name: str, build: Callable[[], bytes]) -> bytes:
    """Return the content of file `name` in `folder`; build and store it if it is missing.

    The name must depend on everything that the content depends on. A damaged file is rebuilt. If
    `folder` is None, nothing is stored.
    """
    if folder is None:
        return build()
    file = folder / name
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        data = b''
    except OSError as error:
        logger.warning('cannot read %s (%s); its content is rebuilt', file, error.strerror)
        data = b''
    content = data[DIGEST_BYTES:]
    if content and hashlib.sha256(content).digest() == data[:DIGEST_BYTES]:
        return content
    if data:
        logger.warning('%s is damaged; its content is rebuilt', file)
    content = build()
    try:
        write_atomically(file, hashlib.sha256(content).digest() + content)
    except OSError as error:
        logger.warning('cannot store %s (%s)', file, error.strerror)
    return content
