"""The ID of this process among the DDS participants of its machine, which decides its ports."""

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rclpy.logging import get_logger

VARIABLES = 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'
PLACE = '<!-- participantID -->'  # in config/fastdds.xml
# Without multicast, Fast DDS finds participants with IDs up to 31. Taken ones are counted up.
IDS = 20


@contextmanager
def own_participant_id() -> Iterator[None]:
    """Give a participant that is created here other ports than those of a killed process.

    Fast DDS gives a process the first free ports, often those of the killed one that it replaces.
    Senders may then write into the shared memory of the killed one forever: in Fast DDS 2.14, a
    process that was killed between two messages looks alive to them. The ports follow from the ID
    of the participant, which is random here; in a container, process IDs repeat.

    Has an effect only with a profile that has PLACE.
    """
    variable, profile = _profile()
    with ExitStack() as stack:
        if variable:
            element = f'<participantID>{random.randrange(IDS)}</participantID>'
            try:
                file = Path(stack.enter_context(tempfile.TemporaryDirectory()), 'fastdds.xml')
                file.write_text(profile.replace(PLACE, element))
            except OSError as error:
                get_logger('enet_ros').warning(
                    f'cannot write a temporary file: {error}; free space, or after a killed node '
                    'this one may receive nothing')
            else:
                stack.callback(os.environ.update, {variable: os.environ[variable]})
                os.environ[variable] = str(file)
        yield


def _profile() -> tuple[str, str]:
    """Return the environment variable of a profile with PLACE, and the profile, or '' and ''."""
    for variable in VARIABLES:
        try:
            profile = Path(os.environ.get(variable, os.devnull)).read_text()
        except (OSError, UnicodeDecodeError):
            continue  # which Fast DDS reports
        if PLACE in profile:
            return variable, profile
    return '', ''
