"""Disturbances of the middleware: foreign participants, and full shared memory."""

from pathlib import Path

from rig import Rig
from segmentation_storm import SegmentationStorm
from storm import Counts

FOREIGN = 'foreign_participants'
SHARED_MEMORY = Path('/dev/shm')
FLOOD_SECONDS = 5.0


def flood(storm: SegmentationStorm, counts: Counts, participants: int) -> None:
    """Let foreign participants come and go for some seconds, and then vanish."""
    storm.rig.start(FOREIGN, parameters={'count': participants})
    for _ in range(2):
        storm.rig.pause(FLOOD_SECONDS / 2)
        counts.recoveries.append(storm.recovery())
    kill_foreign(storm.rig)
    counts.recoveries.append(storm.recovery())


def replace_camera(storm: SegmentationStorm, counts: Counts) -> None:
    """Replace the camera by a publisher of another type, and back."""
    storm.kill_camera()
    storm.rig.start(FOREIGN, parameters={'count': 1})
    storm.expect(counts, 'std_msgs/msg/String is published there and not')
    kill_foreign(storm.rig)
    storm.restart_camera()
    counts.recoveries.append(storm.recovery())


def kill_foreign(rig: Rig) -> None:
    process = rig.processes.pop(FOREIGN)
    process.kill()
    process.wait()


def fill_shared_memory(storm: SegmentationStorm, counts: Counts) -> None:
    """Fill the private shared memory, start the node again while it is full, and empty it."""
    file = SHARED_MEMORY / 'filler'
    with open(file, 'wb', buffering=0) as filler:
        try:
            while filler.write(bytes(2**16)):
                pass
        except OSError:  # full
            pass
    counts.recoveries.append(storm.recovery())
    counts.recoveries.append(storm.restart_node())
    file.unlink()
    counts.recoveries.append(storm.recovery())
