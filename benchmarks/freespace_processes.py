"""Measure the latency from image stamp to laser scan, with both nodes in one process or in two.

    scripts/run python benchmarks/freespace_processes.py

Both arrangements are measured in turns, with images of the synthetic street. Prints the latency of
labels and scans, and the CPU time of all processes.
"""

import argparse

from rig import (
    RESPONSE_TIMEOUT,
    SETTLING_TIME,
    DemoFailure,
    Rig,
    cpu_ms,
    open_rig,
    percentiles,
)
from sensor_msgs.msg import Image, LaserScan

from enet_ros.ros.label_stream import INPUTS

CAMERA, SEGMENTATION, FREE_SPACE = 'replay_node', 'segmentation_node', 'freespace_node'
TOPICS = {'label': (SEGMENTATION, Image), 'scan': (FREE_SPACE, LaserScan)}
ARRANGEMENTS = 'two processes', 'one process'

Latencies = dict[str, list[float]]  # milliseconds by topic


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--seconds', type=float, default=20.0, help='of each measurement')
    parser.add_argument('--rounds', type=int, default=3, help='of both arrangements in turn')
    parser.add_argument('--rate', type=float, default=10.0, help='images per second')
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--height', type=int, default=360)
    options = parser.parse_args()
    latencies: dict[str, Latencies] = {each: {topic: [] for topic in TOPICS}
                                       for each in ARRANGEMENTS}
    seconds = dict.fromkeys(ARRANGEMENTS, 0.0)
    for _ in range(options.rounds):
        for arrangement in ARRANGEMENTS:
            seconds[arrangement] += measure(arrangement, options, latencies[arrangement])
    print(f'{options.width}x{options.height} at {options.rate:g} Hz, milliseconds from the '
          "image's stamp until received, p50/p95/p99:")
    for arrangement, by_topic in latencies.items():
        parts = [f'{topic} {"/".join(f"{p:.1f}" for p in percentiles(values, 50, 95, 99))} '
                 f'({len(values)})' for topic, values in by_topic.items()]
        print(f'  {arrangement}: {", ".join(parts)}, {seconds[arrangement]:.0f} s of CPU time')


def measure(arrangement: str, options: argparse.Namespace, latencies: Latencies) -> float:
    """Add to the latencies; return the CPU time of all processes in seconds."""
    with open_rig() as rig:
        start(rig, arrangement, options)
        newest = {topic: rig.receive_ages(f'/{node}/{topic}', kind)
                  for topic, (node, kind) in TOPICS.items()}
        if not rig.wait(lambda: newest['scan'], RESPONSE_TIMEOUT):
            raise DemoFailure(f'no scan was received within {RESPONSE_TIMEOUT:.0f} s')
        rig.pause(SETTLING_TIME)
        for values in newest.values():
            values.clear()
        rig.pause(options.seconds)
        for topic, values in newest.items():
            latencies[topic] += values
        return sum(cpu_ms(process.pid) for process in rig.processes.values()) / 1e3


def start(rig: Rig, arrangement: str, options: argparse.Namespace) -> None:
    """Start all processes and activate the nodes."""
    rig.start(CAMERA, parameters={'rate_hz': options.rate, 'width': options.width,
                                  'height': options.height})
    network = {'input.width': options.width, 'input.height': options.height}
    images = {topic: f'{CAMERA}/{topic}' for topic in ('image', 'camera_info')}
    if arrangement == 'one process':
        # Its free space node activates itself. Parameters of the process are for both nodes.
        rig.start('segmentation_and_freespace', SEGMENTATION,
                  {**network, 'camera.pitch': 0.05}, images)
    else:
        rig.start(SEGMENTATION, parameters=network, topics=images)
        rig.start(FREE_SPACE, parameters={'camera.pitch': 0.05},
                  topics={topic: f'{SEGMENTATION}/{topic}' for topic in INPUTS})
        rig.bring_up(FREE_SPACE)
    rig.bring_up(SEGMENTATION)


if __name__ == '__main__':
    main()
