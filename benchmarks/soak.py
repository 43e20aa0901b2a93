"""Check the nodes for leaks of memory, threads, file descriptors and shared memory.

    scripts/run python benchmarks/soak.py

A camera sends frames of the synthetic street with their depth to the segmentation node, whose
labels feed the free space node and the semantic cloud node; their outputs are received. The replay
node renders another street beside them. What each process uses is read once per second. Then, with
the camera still sending, the nodes go through their lifecycles many times. Small images at a high
rate compress the time: at 10 Hz, a robot has 36,000 frames an hour. Ctrl-C ends the measurement
early and reports it.
"""

import argparse
import signal
import threading
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from nav_msgs.msg import OccupancyGrid
from rig import (
    ACTIVATE,
    CLEANUP,
    CONFIGURE,
    DEACTIVATE,
    RESPONSE_TIMEOUT,
    DemoFailure,
    Rig,
    Target,
    cpu_ms,
    open_rig,
    percentiles,
    print_machine,
    print_table,
    print_targets,
    process_status,
    report_progress,
)
from sensor_msgs.msg import Image, LaserScan, PointCloud2

from enet_ros.ros.label_stream import INPUTS

CAMERA, REPLAY, SEGMENTATION, FREE_SPACE, CLOUD = (
    'street_camera', 'replay_node', 'segmentation_node', 'freespace_node', 'semantic_cloud_node')
MANAGED = SEGMENTATION, FREE_SPACE, CLOUD
# The first output of each node counts its frames.
OUTPUTS = {
    SEGMENTATION: {'label': Image, 'confidence': Image, 'overlay': Image},
    FREE_SPACE: {'scan': LaserScan, 'grid': OccupancyGrid},
    CLOUD: {'points': PointCloud2, 'scan': LaserScan},
    REPLAY: {'image': Image}}
FRAMES_PER_HOUR = 36_000
MAX_PAIRED = 200  # samples of which each pair has a slope
MAX_SLOPE = 1.0  # MiB per FRAMES_PER_HOUR
MAX_AGE_GROWTH = 1.05


class Usage(NamedTuple):
    """What a process uses at a time."""

    frames: int  # received from it so far
    cpu_ms: float
    memory: float  # heap and stacks, MiB
    threads: int
    descriptors: int
    segments: int  # of shared memory


Ages = dict[str, dict[str, list[float]]]  # milliseconds, by node and topic


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--minutes', type=float, default=15.0)
    parser.add_argument('--cycles', type=int, default=100, help='of the lifecycle')
    parser.add_argument('--rate', type=float, default=100.0, help='of the camera, Hz')
    parser.add_argument('--replay-rate', type=float, default=30.0, help='of replay_node, Hz')
    parser.add_argument('--width', type=int, default=64, help='of images and network, pixels')
    parser.add_argument('--height', type=int, default=40, help='of images and network, pixels')
    parser.add_argument('--engine', default='auto')
    parser.add_argument('--threads', type=int, default=1, help='of the network')
    options = parser.parse_args()
    interrupted = threading.Event()
    with open_rig() as rig:
        signal.signal(signal.SIGINT, lambda *_: interrupted.set())
        start(rig, options)
        ages = {node: {topic: rig.receive_ages(f'/{node}/{topic}', kind)
                       for topic, kind in topics.items()} for node, topics in OUTPUTS.items()}
        for node, topics in ages.items():
            for topic, values in topics.items():
                wait_for_output(rig, f'{node}/{topic}', values)
        usage = sample(rig, ages, round(60 * options.minutes), interrupted)
        received = {node: list(next(iter(topics.values()))) for node, topics in ages.items()}
        idle = run_cycles(rig, 0 if interrupted.is_set() else options.cycles, ages)
    print_machine()
    print(f'{options.width}x{options.height} at {options.rate:g} Hz, {len(usage[CLOUD]) / 60:.1f} '
          f'minutes, {len(idle[CLOUD]) - 1} lifecycles\n')
    report(usage, idle, received)


def start(rig: Rig, options: argparse.Namespace) -> None:
    """Start all processes and activate the nodes."""
    size = {'width': options.width, 'height': options.height}
    topics = {topic: f'/{CAMERA}/{topic}' for topic in ('image', 'camera_info', 'depth')}
    rig.start(CAMERA, parameters={'depth': True, **size}, topics=topics)
    rig.start(REPLAY, parameters={'rate_hz': options.replay_rate, **size})
    rig.start(SEGMENTATION, parameters={
        'model.engine': options.engine, 'model.threads': options.threads,
        **{f'input.{name}': side for name, side in size.items()}}, topics=topics)
    labels = {topic: f'/{SEGMENTATION}/{topic}' for topic in INPUTS}
    rig.start(FREE_SPACE, parameters={'camera.pitch': 0.05}, topics=labels)
    rig.start(CLOUD, parameters={'camera.pitch': 0.05},
              topics={**labels, 'depth': topics['depth']})
    for node in MANAGED:
        rig.bring_up(node)
    rig.set(CAMERA, {'rate_hz': options.rate})


def wait_for_output(rig: Rig, topic: str, values: Sequence[object]) -> None:
    before = len(values)
    if not rig.wait(lambda: len(values) > before, RESPONSE_TIMEOUT):
        raise DemoFailure(f'nothing was received from {topic} within {RESPONSE_TIMEOUT:.0f} s')


def usage_of(rig: Rig, ages: Ages, node: str) -> Usage:
    pid = rig.processes[node].pid
    # By their inodes: a segment stays mapped after its file is deleted.
    segments = {line.split()[4] for line in Path(f'/proc/{pid}/maps').read_text().splitlines()
                if '/dev/shm/' in line}
    return Usage(len(next(iter(ages[node].values()))), cpu_ms(pid), *process_status(pid),
                 len(list(Path(f'/proc/{pid}/fd').iterdir())), len(segments))


def sample(rig: Rig, ages: Ages, count: int, interrupted: threading.Event
           ) -> dict[str, list[Usage]]:
    """Return what each node uses, once per second, up to a number of samples."""
    usage: dict[str, list[Usage]] = {node: [] for node in ages}
    for number in range(count):
        rig.pause(1.0)
        rig.check_alive()
        for node, values in usage.items():
            values.append(usage_of(rig, ages, node))
        if number % 60 == 0:
            report_progress('; '.join(f'{node}: {values[-1].frames} frames, '
                                      f'{values[-1].memory:.2f} MiB'
                                      for node, values in usage.items()))
        if interrupted.is_set():
            break
    return usage


def run_cycles(rig: Rig, cycles: int, ages: Ages) -> dict[str, list[Usage]]:
    """Clean up and reactivate each node; return what it uses each time it is unconfigured.

    The first value is before the first cycle: what the first use left behind.
    """
    unconfigured: dict[str, list[Usage]] = {node: [] for node in MANAGED}
    for _ in range(cycles + 1):
        for node, values in unconfigured.items():
            wait_for_output(rig, node, next(iter(ages[node].values())))
            rig.change_state(node, DEACTIVATE)
            rig.change_state(node, CLEANUP)
            values.append(usage_of(rig, ages, node))
            rig.change_state(node, CONFIGURE)
            rig.change_state(node, ACTIVATE)
    return unconfigured


def report(usage: Mapping[str, Sequence[Usage]], idle: Mapping[str, Sequence[Usage]],
           ages: Mapping[str, Sequence[float]]) -> None:
    """Print what the nodes use over time, and whether the targets are met."""
    rows: list[tuple[object, ...]] = []
    targets: list[Target] = []
    for node, values in usage.items():
        half = values[len(values) // 2:]
        slope = FRAMES_PER_HOUR * memory_slope(half)
        # The first fifth is the warm-up.
        parts = [summary(fifth(values, index)) for index in (1, 4)]
        rows += [(f'{node}, {name} fifth', *part[2:], cpu_per_frame(fifth(values, index)))
                 for name, part, index in zip(('second', 'last'), parts, (1, 4))]
        targets += [(f'{node}: MiB per {FRAMES_PER_HOUR:,} frames, in the second half of '
                     f'{values[-1].frames:,}', f'{slope:+.2f}', MAX_SLOPE, slope < MAX_SLOPE),
                    *grown(node, 'under load', *parts)]
    for node, values in idle.items():
        rows += [(f'{node}, cleaned up, after {done} cycles', *values[done][2:], '')
                 for done in sorted({0, len(values) // 2, len(values) - 1})]
        targets += grown(node, 'by lifecycles', values[0], values[-1])
    print_table(('', 'heap and stacks, MiB', 'threads', 'descriptors', 'shared-memory segments',
                 'CPU ms per frame'), rows)
    print()
    print_table(('ages, ms', 'hour', 'p50', 'p99'), [
        (node, hour, *percentiles(part, 50, 99)) for node, each in ages.items()
        for hour, part in enumerate(hours(each), 1)])
    for node, each in ages.items():
        early, late = (percentiles(hours(each)[index], 99)[0] for index in (0, -1))
        targets.append((f'{node}: p99 age, last hour / first', f'{late / early:.2f}',
                        f'{MAX_AGE_GROWTH:.2f}', late / early <= MAX_AGE_GROWTH))
    print_targets(targets)


def fifth(values: Sequence, index: int) -> Sequence:
    """Return one fifth of the values; index 0 to 4."""
    length = max(len(values) // 5, 1)
    return values[index * length:(index + 1) * length] or values[-1:]


def hours(values: Sequence[float]) -> list[Sequence[float]]:
    """Return the values of each full hour's worth of frames, or of all if they are fewer."""
    return [values[begin:begin + FRAMES_PER_HOUR] for begin in range(
        0, len(values) - FRAMES_PER_HOUR + 1, FRAMES_PER_HOUR)] or [values]


def summary(values: Sequence[Usage]) -> Usage:
    """Return the medians."""
    frames, cpu, memory, *counts = np.median(np.array(values), axis=0)
    return Usage(round(frames), cpu, memory, *map(round, counts))


def cpu_per_frame(values: Sequence[Usage]) -> str:
    first, last = values[0], values[-1]
    return f'{(last.cpu_ms - first.cpu_ms) / max(last.frames - first.frames, 1):.2f}'


def memory_slope(values: Sequence[Usage]) -> float:
    """Return the growth of the memory in MiB per frame: the median over pairs of samples.

    Single steps and outliers have no influence on it (Theil-Sen estimator).
    """
    thinned = values[::-(-len(values) // MAX_PAIRED)]
    slopes = [(later.memory - earlier.memory) / (later.frames - earlier.frames)
              for earlier, later in combinations(thinned, 2) if later.frames > earlier.frames]
    return float(np.median(slopes)) if slopes else 0.0


def grown(node: str, when: str, before: Usage, after: Usage) -> list[Target]:
    """Return the targets that threads, descriptors and segments do not grow."""
    return [(f'{node}: {what} added {when}', count, 0, count <= 0)
            for what in ('threads', 'descriptors', 'segments')
            for count in [getattr(after, what) - getattr(before, what)]]


if __name__ == '__main__':
    main()
