"""Check the managed nodes for leaks of memory, threads and file descriptors.

    scripts/run python benchmarks/soak.py

The synthetic street with its depth feeds the segmentation node, and its labels feed the free space
node and the semantic cloud node, whose outputs are received. What each process uses is read once
per second. Then, with the camera still sending, the nodes go through their lifecycles many times.
Small images at a high rate compress the time: at 10 Hz, a robot has 36,000 frames an hour.
"""

import argparse
from collections.abc import Mapping, Sequence
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
    open_rig,
    percentiles,
    print_machine,
    print_table,
    print_targets,
    process_status,
)
from sensor_msgs.msg import Image, LaserScan, PointCloud2

from enet_ros.ros.label_stream import INPUTS

CAMERA, SEGMENTATION, FREE_SPACE, CLOUD = (
    'replay_node', 'segmentation_node', 'freespace_node', 'semantic_cloud_node')
MANAGED = SEGMENTATION, FREE_SPACE, CLOUD
OUTPUTS = {
    f'{SEGMENTATION}/label': Image, f'{SEGMENTATION}/confidence': Image,
    f'{SEGMENTATION}/overlay': Image, f'{FREE_SPACE}/grid': OccupancyGrid,
    f'{FREE_SPACE}/scan': LaserScan, f'{CLOUD}/points': PointCloud2, f'{CLOUD}/scan': LaserScan}
LAST = f'{FREE_SPACE}/scan'  # whose ages are compared
FRAMES_PER_HOUR = 36_000
WARM_UP = 60.0   # seconds that do not count, at most a quarter of the run
MAX_SLOPE = 1.0  # MiB per FRAMES_PER_HOUR
MAX_AGE_GROWTH = 1.05


class Usage(NamedTuple):
    """What a process uses at a time."""

    memory: float  # resident, MiB
    threads: int
    descriptors: int


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--minutes', type=float, default=15.0)
    parser.add_argument('--cycles', type=int, default=100, help='of the lifecycle')
    parser.add_argument('--rate', type=float, default=30.0, help='of the camera, Hz')
    parser.add_argument('--width', type=int, default=320, help='of images and network, pixels')
    parser.add_argument('--height', type=int, default=184, help='of images and network, pixels')
    parser.add_argument('--engine', default='auto')
    options = parser.parse_args()
    with open_rig() as rig:
        start(rig, options)
        ages = {topic: rig.receive_ages(f'/{topic}', kind) for topic, kind in OUTPUTS.items()}
        for topic, values in ages.items():
            wait_for_output(rig, topic, values)
        usage = sample(rig, round(60 * options.minutes))
        frames = {topic: len(values) for topic, values in ages.items()}
        idle = run_cycles(rig, options.cycles, ages)
    print_machine()
    print(f'{options.width}x{options.height} at {options.rate:g} Hz, {options.minutes:g} minutes, '
          f'{frames[f"{SEGMENTATION}/label"]} labels, {frames[LAST]} scans, '
          f'{options.cycles} lifecycles\n')
    report(usage, idle, frames, ages[LAST][:frames[LAST]])


def start(rig: Rig, options: argparse.Namespace) -> None:
    """Start all processes and activate the nodes."""
    size = {'width': options.width, 'height': options.height}
    rig.start(CAMERA, parameters={'rate_hz': options.rate, **size})
    rig.start(SEGMENTATION, parameters={
        'model.engine': options.engine, **{f'input.{name}': side for name, side in size.items()}},
        topics={topic: f'/{CAMERA}/{topic}' for topic in ('image', 'camera_info')})
    labels = {topic: f'/{SEGMENTATION}/{topic}' for topic in INPUTS}
    rig.start(FREE_SPACE, parameters={'camera.pitch': 0.05}, topics=labels)
    rig.start(CLOUD, parameters={'camera.pitch': 0.05},
              topics={**labels, 'depth': f'/{CAMERA}/depth'})
    for node in MANAGED:
        rig.bring_up(node)


def wait_for_output(rig: Rig, topic: str, values: Sequence[object]) -> None:
    before = len(values)
    if not rig.wait(lambda: len(values) > before, RESPONSE_TIMEOUT):
        raise DemoFailure(f'nothing was received from {topic} within {RESPONSE_TIMEOUT:.0f} s')


def usage_of(pid: int) -> Usage:
    return Usage(*process_status(pid), len(list(Path(f'/proc/{pid}/fd').iterdir())))


def sample(rig: Rig, count: int) -> dict[str, list[Usage]]:
    """Return what each managed node uses, once per second."""
    usage: dict[str, list[Usage]] = {node: [] for node in MANAGED}
    for _ in range(count):
        rig.pause(1.0)
        for node, values in usage.items():
            values.append(usage_of(rig.processes[node].pid))
    return usage


def run_cycles(rig: Rig, cycles: int, ages: Mapping[str, Sequence[object]]
               ) -> dict[str, list[Usage]]:
    """Clean up and reactivate each node; return what it uses each time it is unconfigured.

    The first value is before the first cycle: what the first use left behind.
    """
    unconfigured: dict[str, list[Usage]] = {node: [] for node in MANAGED}
    for _ in range(cycles + 1):
        for node, values in unconfigured.items():
            topic = next(topic for topic in ages if topic.startswith(node))
            wait_for_output(rig, topic, ages[topic])
            rig.change_state(node, DEACTIVATE)
            rig.change_state(node, CLEANUP)
            values.append(usage_of(rig.processes[node].pid))
            rig.change_state(node, CONFIGURE)
            rig.change_state(node, ACTIVATE)
    return unconfigured


def report(usage: Mapping[str, Sequence[Usage]], idle: Mapping[str, Sequence[Usage]],
           frames: Mapping[str, int], ages: Sequence[float]) -> None:
    """Print what the nodes use over time, and whether the targets are met."""
    rows: list[tuple[object, ...]] = []
    targets: list[Target] = []
    for node, values in usage.items():
        counted = values[round(min(WARM_UP, len(values) / 4)):]
        first, last = (summary(part) for part in (fifth(counted, 0), fifth(counted, 4)))
        count = max(number for topic, number in frames.items() if topic.startswith(node))
        slope = memory_slope(counted) * len(values) / count * FRAMES_PER_HOUR
        rows += [(f'{node}, first fifth after the warm-up', *first),
                 (f'{node}, last fifth', *last),
                 *((f'{node}, cleaned up, after {done} cycles', *idle[node][done])
                   for done in sorted({0, len(idle[node]) // 2, len(idle[node]) - 1}))]
        targets += [
            (f'{node}: MiB per {FRAMES_PER_HOUR:,} frames', f'{slope:+.2f}', MAX_SLOPE,
             slope < MAX_SLOPE),
            *grown(node, 'under load', first, last),
            *grown(node, 'by lifecycles', idle[node][0], idle[node][-1])]
    print_table(('', 'resident MiB', 'threads', 'descriptors'), rows)
    early, late = (percentiles(fifth(ages, index), 99)[0] for index in (0, 4))
    targets.append(('p99 age of scans, last fifth / first', f'{late / early:.2f}',
                    f'{MAX_AGE_GROWTH:.2f}', late / early <= MAX_AGE_GROWTH))
    print_targets(targets)


def fifth(values: Sequence, index: int) -> Sequence:
    """Return one fifth of the values; index 0 to 4."""
    length = max(len(values) // 5, 1)
    return values[index * length:(index + 1) * length] or values[-1:]


def summary(values: Sequence[Usage]) -> Usage:
    """Return the medians."""
    medians = np.median(np.array(values), axis=0)
    return Usage(float(medians[0]), round(medians[1]), round(medians[2]))


def memory_slope(values: Sequence[Usage]) -> float:
    """Return the growth of the memory in MiB per sample, by least squares."""
    memory = [each.memory for each in values]
    return float(np.polyfit(np.arange(len(memory)), memory, 1)[0]) if len(memory) > 1 else 0.0


def grown(node: str, when: str, before: Usage, after: Usage) -> list[Target]:
    """Return the targets that threads and descriptors do not grow."""
    added = {'threads': after.threads - before.threads,
             'descriptors': after.descriptors - before.descriptors}
    return [(f'{node}: {what} added {when}', count, 0, count <= 0)
            for what, count in added.items()]


if __name__ == '__main__':
    main()
