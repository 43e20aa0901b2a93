"""Measure how soon the node runs the network at the right size after its engine becomes slower.

    scripts/run python benchmarks/adaptive_size.py

Runs the segmentation node with engines that can be slowed down by a factor. It first measures the
time of a frame at each size. The latency budget leaves headroom at the largest. For each smaller
size the engine is then slowed down by the factor that puts the budget midway between the times of
that size and of the next larger one, and returns to full speed. Prints how many seconds passed
until the right size ran, and how often the size changed afterwards.
"""

import argparse
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from enet_ros.msg import FrameTiming
from rig import (
    CLEANUP,
    DEACTIVATE,
    DemoFailure,
    Receipt,
    Rig,
    between,
    open_rig,
    percentiles,
    print_machine,
    print_table,
    print_targets,
)

from enet_ros.config import parse_size

NODE, CAMERA = 'slowed_node', 'camera'
HEADROOM = 2.5  # the budget, in times the age of labels at the largest size
LOAD = 0.8  # share of the budget between two images, so that frames do not wait for each other
MAX_SECONDS = 2.0  # until the right size runs
MAX_SPREAD = 1.4  # third quartile of the inference time, relative to the first
TRIES = 5  # to measure with less spread


class FrameTime(NamedTuple):
    """Milliseconds of a frame: the network, and everything else until its label is published."""

    network: float
    other: float


class Step(NamedTuple):
    """What happened after the engine's speed changed.

    seconds: from the first frame to the first one at the right size; NaN if there is none.
    before, after: the sizes that ran until then and after it, without repetitions.
    """

    slowdown: float
    right_size: str
    seconds: float
    before: list[str]
    after: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--sizes', nargs='+', default=['640x360', '480x272', '320x184'],
                        help='sizes of the network, largest first')
    parser.add_argument('--hold', type=float, default=30.0, help='seconds at each speed')
    parser.add_argument('--measure', type=float, default=10.0, help='seconds at each size')
    parser.add_argument('--engine', default='auto')
    options = parser.parse_args()
    with open_rig() as rig:
        rig.start(NODE, parameters={'model.engine': options.engine},
                  topics={'image': '/image'})
        rig.camera(CAMERA, '/image')
        timings = rig.receive(f'/{NODE}/timing', FrameTiming)
        rig.receive(f'/{NODE}/label')
        times = [measure_size(rig, size, timings, options.measure) for size in options.sizes]
        budget = HEADROOM * sum(times[0])
        rate = LOAD * 1e3 / budget
        rig.set(NODE, {'input.width': 0, 'input.height': 0, 'latency.budget_ms': budget,
                       'latency.sizes': options.sizes, 'latency.adaptive': True,
                       'network_ms': [each.network for each in times]})
        rig.bring_up(NODE)
        rig.set(CAMERA, {'rate_hz': rate})
        rig.pause(options.hold / 3)
        steps = []
        for (larger, smaller), size in zip(pairwise(times), options.sizes[1:]):
            slowdown = midway(larger, smaller, budget)
            steps.append(run_step(rig, timings, slowdown, size, options.hold))
            steps.append(run_step(rig, timings, 1.0, options.sizes[0], options.hold))
    print_machine()
    print(f'budget {budget:.0f} ms, images at {rate:.1f} Hz\n')
    print_table(('size', 'network, ms', 'other work, ms'),
                [(size, *each) for size, each in zip(options.sizes, times)])
    report(steps)


def measure_size(rig: Rig, size: str, timings: list[Receipt], seconds: float) -> FrameTime:
    """Return the time of a frame at a size; measure again if the machine was disturbed."""
    width, height = parse_size(size)
    rig.set(NODE, {'input.width': width, 'input.height': height})
    rig.bring_up(NODE)
    for _ in range(TRIES):
        window = rig.turn(CAMERA, 5.0, seconds, timings)
        frames = [receipt.timing for receipt in between(timings, window)]
        low, inference, high = percentiles((frame.inference_ms for frame in frames), 25, 50, 75)
        if high <= MAX_SPREAD * low:
            break
    else:
        raise DemoFailure(f'at {size} half of the inference times lie outside {low:.0f} to '
                          f'{high:.0f} ms, in {TRIES} tries; run it on a quiet machine')
    rig.change_state(NODE, DEACTIVATE)
    rig.change_state(NODE, CLEANUP)
    other, = percentiles((frame.age_ms - frame.inference_ms for frame in frames), 50)
    return FrameTime(inference, other)


def midway(larger: FrameTime, smaller: FrameTime, budget: float) -> float:
    """Return the slowdown at which the budget lies midway between the times of two sizes."""
    network, other = (sum(pair) / 2 for pair in zip(larger, smaller))
    return (budget - other) / network


def run_step(rig: Rig, timings: list[Receipt], slowdown: float, right_size: str,
             seconds: float) -> Step:
    """Change the engine's speed, and observe the network sizes for some seconds."""
    rig.set(NODE, {'slowdown': slowdown})
    start = time.time()
    rig.pause(seconds)
    frames = [receipt for receipt in timings if receipt.stamp >= start]
    sizes = [f'{receipt.timing.network_width}x{receipt.timing.network_height}'
             for receipt in frames]
    if right_size not in sizes:
        return Step(slowdown, right_size, float('nan'), without_repetitions(sizes), [])
    first = sizes.index(right_size)
    return Step(slowdown, right_size, frames[first].stamp - frames[0].stamp,
                without_repetitions(sizes[:first + 1]), without_repetitions(sizes[first:])[1:])


def without_repetitions(sizes: list[str]) -> list[str]:
    return sizes[:1] + [after for before, after in pairwise(sizes) if after != before]


def report(steps: Sequence[Step]) -> None:
    """Print the steps, and whether the targets are met."""
    print()
    print_table(('slowdown', 'right size', 'reached after, s', 'by way of', 'changes afterwards'),
                [(step.slowdown, step.right_size, f'{step.seconds:.2f}', ' '.join(step.before),
                  ' '.join(step.after) or 'none') for step in steps])
    slowest = max((step.seconds for step in steps if step.slowdown > 1),
                  key=lambda seconds: (seconds != seconds, seconds))  # NaN is the largest
    changes = sum(len(step.after) for step in steps)
    print_targets([('seconds until a slower engine runs at the right size', f'{slowest:.2f}',
                    f'{MAX_SECONDS:.2f}', slowest <= MAX_SECONDS),
                   ('size changes after the right size was reached', changes, 0, not changes)])


if __name__ == '__main__':
    main()
