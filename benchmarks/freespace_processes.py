"""Measure the latency from a camera image's stamp to the scan: both nodes in one process or two.

usage: scripts/run python benchmarks/freespace_processes.py [--seconds 20] [--rounds 3]
"""

import argparse
import os
import resource
import signal
import subprocess
import time

import numpy as np
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.time import Time
from sensor_msgs.msg import Image, LaserScan

from enet_ros.ros.demo_client import QOS, WaitingNode

CAMERA = ['-r', 'image:=replay_node/image', '-r', 'camera_info:=replay_node/camera_info']
LABELS = [part for name in ('label', 'confidence', 'camera_info', 'label_map')
          for part in ('-r', f'{name}:=segmentation_node/{name}')]
WAYS = {'two': [['segmentation_node', *CAMERA], ['freespace_node', *LABELS]],
        'one': [['segmentation_and_freespace', '-r', '__node:=segmentation_node', *CAMERA]]}
WARM_UP = 3.0  # seconds


class Listener(WaitingNode):
    """Keeps the milliseconds from an image's stamp until its label and its scan came."""

    def __init__(self):
        super().__init__('listener')
        self.latencies = {'label': [], 'scan': []}
        for node, topic, kind in (('segmentation_node', 'label', Image),
                                  ('freespace_node', 'scan', LaserScan)):
            self.create_subscription(kind, f'{node}/{topic}', self._keeper(topic), QOS)

    def _keeper(self, name):
        def keep(message):
            age = self.get_clock().now() - Time.from_msg(message.header.stamp)
            self.latencies[name].append(1e-6 * age.nanoseconds)
        return keep

    def bring_up(self, node):
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            answer = self.call(ChangeState, f'{node}/change_state', ChangeState.Request(
                transition=Transition(id=transition)), answer_within=120.0)
            assert answer.success, f'{node} cannot be brought up'


def measure(commands, rate, seconds, size):
    """Return {topic: latencies in milliseconds}, and the processor time of all in seconds."""
    width, height = size
    commands = [['replay_node', '-p', f'rate_hz:={rate}', '-p', f'width:={width}',
                 '-p', f'height:={height}'], *commands]
    values = ['-p', f'input.width:={width}', '-p', f'input.height:={height}', '-p',
              'camera.pitch:=0.05']
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = [subprocess.Popen([command[0], '--ros-args', *command[1:], *values],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
               for command in commands]
    listener = Listener()
    try:
        nodes = ['segmentation_node'] + (['freespace_node'] if len(running) == 3 else [])
        for node in nodes:
            listener.bring_up(node)
        assert listener.wait(lambda: listener.latencies['scan'], 60.0), 'no scan came'
        listener.wait(lambda: False, WARM_UP)
        for latencies in listener.latencies.values():
            latencies.clear()
        listener.wait(lambda: False, seconds)
        latencies = {name: list(values) for name, values in listener.latencies.items()}
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)
        for process in running:
            process.wait(20.0)
        listener.destroy_node()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return latencies, used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=20.0, help='of each measurement')
    parser.add_argument('--rounds', type=int, default=3, help='of both ways in turn')
    parser.add_argument('--rate', type=float, default=10.0, help='images a second')
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--height', type=int, default=360)
    options = parser.parse_args()
    os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
    rclpy.init()
    results = {way: {'label': [], 'scan': [], 'seconds': 0.0} for way in WAYS}
    for _ in range(options.rounds):
        for way, commands in WAYS.items():
            latencies, seconds = measure(commands, options.rate, options.seconds,
                                         (options.width, options.height))
            results[way]['seconds'] += seconds
            for name, values in latencies.items():
                results[way][name] += values
            time.sleep(1.0)
    rclpy.shutdown()
    print(f'{options.width}x{options.height} at {options.rate:g} Hz, milliseconds from the '
          "image's stamp until received, p50/p95/p99:")
    for way, result in results.items():
        print(f'  {way:4}' + ', '.join(
            f'{name} {"/".join(f"{p:.1f}" for p in np.percentile(result[name], (50, 95, 99)))} '
            f'({len(result[name])})' for name in ('label', 'scan'))
            + f', {result["seconds"]:.0f} s of processor time')


if __name__ == '__main__':
    main()
