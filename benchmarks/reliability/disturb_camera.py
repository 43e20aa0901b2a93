"""Disturbances of the camera: other images, and clocks that jump."""

import time

from segmentation_storm import SegmentationStorm
from storm import Counts

# By transport; those that need no other package, and one that the node refuses without cv_bridge.
ENCODINGS = {'raw': ('bgr8', 'rgb8', 'mono8', 'bgra8', 'mono16', '16UC1', 'yuv422', 'yuv422_yuy2',
                     'bayer_rggb8', 'bayer_gbrg16'),
             'compressed': ('jpeg', 'png')}
REFUSED = '32FC3'
BEHIND, ANOTHER_CLOCK = -5.0, (-3600.0, -15.0, 5.0, 3600.0)  # seconds from clock to stamps
JUMPS = -3600.0, -5.0, -0.5, 0.5, 5.0, 3600.0  # seconds
SYSTEM_JUMPS = -20.0, -5.0, 5.0, 20.0  # seconds; all programs of the machine see them


def restart(storm: SegmentationStorm, counts: Counts) -> None:
    """Kill the camera and start one with other images."""
    storm.restart_camera(**images(storm))
    counts.recoveries.append(storm.recovery())


def change_images(storm: SegmentationStorm, counts: Counts) -> None:
    """Send images of another size and encoding, now and then of a refused one in between."""
    if storm.transport == 'raw' and storm.random.random() < 0.3:
        storm.set_camera(encoding=REFUSED)
        storm.expect(counts, f"encoding '{REFUSED}'")
    storm.set_camera(**images(storm))
    counts.recoveries.append(storm.recovery())


def images(storm: SegmentationStorm) -> dict[str, object]:
    """Return a random format of images, of those that the node receives."""
    width, height = storm.size
    width, height = storm.random.choice([(width, height), (2 * width, 2 * height), (height, width),
                                         (width // 2, height // 2)])
    return {'width': width, 'height': height,
            'encoding': storm.random.choice(ENCODINGS[storm.transport])}


def jump_stamps(storm: SegmentationStorm, counts: Counts) -> None:
    """Let the camera's clock jump, and back."""
    offset = storm.random.choice((BEHIND, *ANOTHER_CLOCK))
    storm.set_camera(stamp_offset=offset)
    if offset == BEHIND:  # which may as well be a slow transport
        storm.expect(counts, 'too old when they arrive')
    else:
        storm.expect(counts, rf'stamps are \d+ s {"behind" if offset < 0 else "ahead of"}')
        counts.recoveries.append(storm.recovery())
    storm.set_camera(stamp_offset=0.0)
    counts.recoveries.append(storm.recovery())


def jump_clock(storm: SegmentationStorm, counts: Counts) -> None:
    """Let the simulated clock jump together with the stamps."""
    storm.set_camera(clock_offset=storm.random.choice(JUMPS))
    counts.recoveries.append(storm.recovery())


def jump_system_clock(storm: SegmentationStorm, counts: Counts) -> None:
    """Set the clock of the machine, and set it back."""
    offset = storm.random.choice(SYSTEM_JUMPS)
    set_system_clock(offset)
    try:
        counts.recoveries.append(storm.recovery())
    finally:
        set_system_clock(-offset)
    counts.recoveries.append(storm.recovery())


def set_system_clock(offset: float) -> None:
    time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns() + int(1e9 * offset))
