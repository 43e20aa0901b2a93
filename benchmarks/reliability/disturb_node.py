"""Disturbances of the node's process, and requests to it."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import Popen

from rig import (
    ACTIVATE,
    CLEANUP,
    CONFIGURE,
    CONFIGURE_TIMEOUT,
    DEACTIVATE,
    RESPONSE_TIMEOUT,
)
from segmentation_storm import NODE, SegmentationStorm
from std_srvs.srv import SetBool, Trigger
from storm import Counts, Storm

TRANSITIONS = CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE
STARVED_SECONDS = 3.0
RUNNING, PERIOD = 0.01, 0.1  # seconds of a period in which a starved process runs
# Values of any kind, of which some are refused.
CHANGES: list[tuple[str, object]] = [
    ('overlay.alpha', 0.0), ('overlay.alpha', 1.0), ('overlay.alpha', 7.0),
    ('overlay.jpeg_quality', 1), ('overlay.jpeg_quality', 'best'), ('input.white_level', 4095),
    ('output.confidence_threshold', 0.9), ('output.confidence_threshold', float('nan')),
    ('output.size', 'network'), ('model.path', 'enet_camvid'), ('model.path', '/nowhere'),
    ('latency.max_age_ms', 500.0), ('latency.max_age_ms', -1.0), ('cameras', ['front'])]


def stop(storm: Storm, counts: Counts) -> None:
    """Stop the process for up to a second, and let it continue."""
    storm.node.send_signal(signal.SIGSTOP)
    storm.rig.pause(storm.random.uniform(0.05, 1.0))
    storm.node.send_signal(signal.SIGCONT)
    counts.recoveries.append(storm.recovery())


def kill(storm: Storm, counts: Counts) -> None:
    """Kill the process, and start it again, as the launch files do with respawn:=true."""
    counts.recoveries.append(storm.restart_node())


def starve(storm: SegmentationStorm, counts: Counts) -> None:
    """Let the process run for a tenth of the time; the network may still keep the budget."""
    known = len(storm.timings)
    with interrupted(storm.node):
        storm.rig.pause(STARVED_SECONDS)
        if any(each.timing.drop_reason for each in storm.timings[known:]):
            storm.expect(counts, 'processors while it works')
    counts.recoveries.append(storm.recovery())


@contextmanager
def interrupted(process: 'Popen[bytes]') -> Iterator[None]:
    """Stop a process for most of each period."""
    done = threading.Event()

    def interrupt() -> None:
        while not done.is_set():
            process.send_signal(signal.SIGSTOP)
            time.sleep(PERIOD - RUNNING)
            process.send_signal(signal.SIGCONT)
            done.wait(RUNNING)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def transition(storm: SegmentationStorm, counts: Counts) -> None:
    """Request some random transitions, most of them impossible, and activate the node."""
    for each in storm.random.choices(TRANSITIONS, k=3):
        counts.refused += not storm.change_state(each)
    storm.activate()
    counts.recoveries.append(storm.recovery())


def change(storm: SegmentationStorm, counts: Counts) -> None:
    """Change a parameter, reload the model or pause the node."""
    what = storm.random.random()
    if what < 0.6:
        counts.refused += not storm.set_parameter(*storm.random.choice(CHANGES))
    elif what < 0.9:
        response = storm.rig.call(Trigger, f'/{NODE}/reload', Trigger.Request(),
                                  timeout=CONFIGURE_TIMEOUT)
        counts.refused += not response.success
    else:
        for enabled in (False, True):
            storm.rig.call(SetBool, f'/{NODE}/enable', SetBool.Request(data=enabled),
                           timeout=RESPONSE_TIMEOUT)
    counts.recoveries.append(storm.recovery())
