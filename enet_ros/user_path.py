"""Paths as users write them."""

import os
from pathlib import Path


def user_path(text):
    """Return the Path that a text names, with ~ as the home folder.

    The name of a user who does not exist stays as it is, so that what is then missing is named
    as it was given.
    """
    return Path(os.path.expanduser(text))
