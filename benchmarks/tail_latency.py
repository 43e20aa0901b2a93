"""Compare the oldest labels beside compilers among ways to start the segmentation node.

    scripts/run python benchmarks/tail_latency.py --way 'nice -n -5' --way 'model.threads:=1'

A node is started plainly, and one more in each other way: with parameters, and by a command that
stands before it. A camera sends images at 30 Hz to one node after another, in several rounds,
while compilers keep all cores busy. Prints the ages of the labels.
"""

import argparse
import json
import shlex
from statistics import median

from compilers import compilers
from enet_ros.msg import FrameTiming
from rig import (
    Rig,
    Window,
    between,
    open_rig,
    percentiles,
    print_machine,
    print_table,
    report_progress,
    sent,
    within,
)

from enet_ros.engines.device import usable_cores

NODE = 'segmentation_node'
PLAIN = 'plain'


class Trial:
    """A node that is started in some way, and what was received from it."""

    def __init__(self, rig: Rig, number: int, way: str, options: argparse.Namespace) -> None:
        self.rig, self.name, self.way = rig, f'{NODE}_{number}', way or PLAIN
        parts = shlex.split(way)
        settings = dict(part.split(':=', 1) for part in parts if ':=' in part)
        parameters = {'model.engine': options.engine, 'input.width': options.width,
                      'input.height': options.height,
                      **{name: json.loads(value) for name, value in settings.items()}}
        prefix = [part for part in parts if ':=' not in part]
        rig.start(NODE, self.name, parameters, {'image': f'/{self.name}/image'}, prefix)
        rig.camera(self.camera, f'/{self.name}/image', width=640, height=360)
        rig.bring_up(self.name)
        self.labels = rig.receive(f'/{self.name}/label')
        self.timings = rig.receive(f'/{self.name}/timing', FrameTiming)
        self.windows: list[Window] = []

    @property
    def camera(self) -> str:
        return f'camera_of_{self.name}'

    def turn(self, rate: float, seconds: float) -> None:
        self.windows.append(self.rig.turn(self.camera, rate, seconds, self.labels))

    def row(self, plain: 'Trial') -> tuple[object, ...]:
        """Return the row of the table; plain: what the tail is compared with."""
        turns = [between(self.labels, window) for window in self.windows]
        labels, images = sum(map(len, turns)), sum(map(sent, turns))
        published = [receipt.timing.age_ms for receipt in within(self.timings, self.windows)
                     if not receipt.timing.drop_reason]
        p50, p99, tail = self.ages(50, 99, 99.9)
        return (self.way, labels, f'{1 - labels / images:.1%}', p50, p99, tail,
                *percentiles(published, 99.9),
                f'{tail / plain.ages(99.9)[0]:.2f}',
                median(percentiles((each.age_ms for each in turn), 99)[0] for turn in turns))

    def ages(self, *ranks: float) -> list[float]:
        """Return percentiles of the ages on receipt, milliseconds."""
        return percentiles((each.age_ms for each in within(self.labels, self.windows)), *ranks)


HEAD = ('way', 'labels', 'images without', 'p50 ms', 'p99 ms', 'p99.9 ms',
        'p99.9 when published, ms', 'p99.9 / plain', 'median p99 of the turns, ms')


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--way', action='append', default=[],
                        help="command before the node, and parameters such as 'model.threads:=1'")
    parser.add_argument('--compilers', type=int, default=usable_cores())
    parser.add_argument('--seconds', type=float, default=30.0, help='of a turn')
    parser.add_argument('--rounds', type=int, default=6, help='of one turn each')
    parser.add_argument('--rate', type=float, default=30.0, help='of the camera, Hz')
    parser.add_argument('--width', type=int, default=0, help="of the network; 0: the model's own")
    parser.add_argument('--height', type=int, default=0, help="of the network; 0: the model's own")
    parser.add_argument('--engine', default='auto')
    options = parser.parse_args()
    with open_rig() as rig:
        trials = [Trial(rig, number, way, options)
                  for number, way in enumerate(['', *options.way])]
        with compilers(options.compilers):
            for number in range(options.rounds):
                for trial in trials[::-1] if number % 2 else trials:
                    trial.turn(options.rate, options.seconds)
                report_progress(f'round {number + 1} of {options.rounds} is done')
    print_machine()
    print(f'{options.compilers} compilers, {options.rounds} turns of {options.seconds:g} s each\n')
    print_table(HEAD, [trial.row(trials[0]) for trial in trials])


if __name__ == '__main__':
    main()
