"""From a camera image's stamp to its scan: both nodes in one process or in two.

    scripts/run python benchmarks/freespace_processes.py

The synthetic street's camera, the segmentation node and the free space node run in turns either
way. Prints when labels and scans are received, and the processor time of all processes.
"""

import argparse

from rclpy.time import Time
from rig import ANSWER_WITHIN, SKIP, DemoFailure, open_rig, percentiles, processor_ms
from sensor_msgs.msg import Image, LaserScan

from enet_ros.ros.demo.client import QOS
from enet_ros.ros.label_stream import INPUTS

CAMERA, SEGMENTATION, FREE_SPACE = 'replay_node', 'segmentation_node', 'freespace_node'
TOPICS = {'label': (SEGMENTATION, Image), 'scan': (FREE_SPACE, LaserScan)}
WAYS = 'two', 'one'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=20.0, help='of each measurement')
    parser.add_argument('--rounds', type=int, default=3, help='of both ways in turn')
    parser.add_argument('--rate', type=float, default=10.0, help='images a second')
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--height', type=int, default=360)
    options = parser.parse_args()
    latencies = {way: {topic: [] for topic in TOPICS} for way in WAYS}
    seconds = dict.fromkeys(WAYS, 0.0)
    for _ in range(options.rounds):
        for way in WAYS:
            seconds[way] += measure(way, options, latencies[way])
    print(f'{options.width}x{options.height} at {options.rate:g} Hz, milliseconds from the '
          "image's stamp until received, p50/p95/p99:")
    for way, by_topic in latencies.items():
        parts = [f'{topic} {"/".join(f"{p:.1f}" for p in percentiles(values, 50, 95, 99))} '
                 f'({len(values)})' for topic, values in by_topic.items()]
        print(f'  {way:4}{", ".join(parts)}, {seconds[way]:.0f} s of processor time')


def measure(way, options, latencies):
    """Add to {topic: milliseconds}; return the seconds of processor time of all processes."""
    with open_rig() as rig:
        start(rig, way, options)
        newest = {topic: receive(rig, topic) for topic in TOPICS}
        if not rig.wait(lambda: newest['scan'], ANSWER_WITHIN):
            raise DemoFailure(f'no scan came within {ANSWER_WITHIN:.0f} s')
        rig.pause(SKIP)
        for values in newest.values():
            values.clear()
        rig.pause(options.seconds)
        for topic, values in newest.items():
            latencies[topic] += values
        return sum(processor_ms(process.pid) for process in rig.processes.values()) / 1e3


def start(rig, way, options):
    """Start all processes and bring the nodes up."""
    rig.start(CAMERA, parameters={'rate_hz': options.rate, 'width': options.width,
                                  'height': options.height})
    network = {'input.width': options.width, 'input.height': options.height}
    images = {topic: f'{CAMERA}/{topic}' for topic in ('image', 'camera_info')}
    if way == 'one':
        # Its free space node brings itself up; parameters given to the process are for both.
        rig.start('segmentation_and_freespace', SEGMENTATION,
                  {**network, 'camera.pitch': 0.05}, images)
    else:
        rig.start(SEGMENTATION, parameters=network, topics=images)
        rig.start(FREE_SPACE, parameters={'camera.pitch': 0.05},
                  topics={topic: f'{SEGMENTATION}/{topic}' for topic in INPUTS})
        rig.bring_up(FREE_SPACE)
    rig.bring_up(SEGMENTATION)


def receive(rig, topic):
    """Return the list of milliseconds from stamp to receipt that grows from now on."""
    node, kind = TOPICS[topic]
    values = []

    def keep(message):
        age = rig.get_clock().now() - Time.from_msg(message.header.stamp)
        values.append(1e-6 * age.nanoseconds)

    rig.create_subscription(kind, f'/{node}/{topic}', keep, QOS)
    return values


if __name__ == '__main__':
    main()
