"""How soon the node's network runs at the right size when its engine gets slower.

    scripts/run python benchmarks/adaptive_size.py

The segmentation node runs with engines that are slowed down by a factor. First the time of a frame
is measured at each size by itself. The budget leaves room at the largest; then for each
smaller size the engine is slowed down by the factor that puts the budget midway between the times
of that size and of the next larger one, and set free again. Prints how long frames came until the
right size ran, and how often the size changed after that.
"""

import argparse
import time
from itertools import pairwise

from enet_ros.msg import FrameTiming
from rig import (
    CLEANUP,
    DEACTIVATE,
    DemoFailure,
    between,
    open_rig,
    percentiles,
    print_bars,
    print_machine,
    print_table,
)

from enet_ros.config import parse_size

NODE, CAMERA = 'slowed_node', 'camera'
ROOM = 2.5  # times the age of labels at the largest size is the budget
LOAD = 0.8  # of the budget's time between images, so that frames do not wait for each other
SETTLED = 2.0  # seconds of frames
STEADY = 1.4  # times the first quartile of the network's time is the third, at most
TRIES = 5  # to find the machine so steady


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--sizes', nargs='+', default=['640x360', '480x272', '320x184'],
                        help='of the network, largest first')
    parser.add_argument('--hold', type=float, default=30.0, help='seconds at each slowness')
    parser.add_argument('--measure', type=float, default=10.0, help='seconds at each size')
    parser.add_argument('--engine', default='auto')
    options = parser.parse_args()
    with open_rig() as rig:
        rig.start(NODE, parameters={'model.engine': options.engine},
                  topics={'image': '/image'})
        rig.camera(CAMERA, '/image')
        timings = rig.receive(f'/{NODE}/timing', FrameTiming)
        rig.receive(f'/{NODE}/label')
        times = [time_of(rig, size, timings, options.measure) for size in options.sizes]
        budget = ROOM * sum(times[0])
        rate = LOAD * 1e3 / budget
        rig.set(NODE, {'input.width': 0, 'input.height': 0, 'latency.budget_ms': budget,
                       'latency.sizes': options.sizes, 'latency.adaptive': True,
                       'network_ms': [network for network, _ in times]})
        rig.bring_up(NODE)
        rig.set(CAMERA, {'rate_hz': rate})
        rig.pause(options.hold / 3)
        steps = []
        for larger, smaller, size in zip(times, times[1:], options.sizes[1:]):
            slowness = midway(larger, smaller, budget)
            steps.append(step(rig, timings, slowness, size, options.hold))
            steps.append(step(rig, timings, 1.0, options.sizes[0], options.hold))
    print_machine()
    print(f'budget {budget:.0f} ms, images at {rate:.1f} Hz\n')
    print_table(('size', 'network ms', 'all else ms'),
                [(size, *both) for size, both in zip(options.sizes, times)])
    report(steps)


def time_of(rig, size, timings, seconds):
    """Return the milliseconds of the network at a size, and of all else until a label leaves.

    They are measured again where the machine was disturbed.
    """
    width, height = parse_size(size)
    rig.set(NODE, {'input.width': width, 'input.height': height})
    rig.bring_up(NODE)
    for _ in range(TRIES):
        window = rig.turn(CAMERA, 5.0, seconds, timings)
        frames = [receipt.timing for receipt in between(timings, window)]
        low, inference, high = percentiles((frame.inference_ms for frame in frames), 25, 50, 75)
        if high <= STEADY * low:
            break
    else:
        raise DemoFailure(f'at {size} half of the frames lie outside {low:.0f} to {high:.0f} ms, '
                     f'{TRIES} times; run it when the machine is quiet')
    rig.change_state(NODE, DEACTIVATE)
    rig.change_state(NODE, CLEANUP)
    rest, = percentiles((frame.age_ms - frame.inference_ms for frame in frames), 50)
    return inference, rest


def midway(larger, smaller, budget):
    """Return the slowness at which the budget lies midway between the times of two sizes."""
    inference, rest = (sum(pair) / 2 for pair in zip(larger, smaller))
    return (budget - rest) / inference


def step(rig, timings, slowness, size, seconds):
    """Change the slowness; return it, the right size and what then came of the sizes.

    That is the seconds from the first frame to the first of the right size, NaN if there is
    none, and the sizes run at, one after the other, up to that one and after it.
    """
    rig.set(NODE, {'slowness': slowness})
    began = time.time()
    rig.pause(seconds)
    frames = [receipt for receipt in timings if receipt.stamp >= began]
    ran = [f'{frame.timing.network_width}x{frame.timing.network_height}' for frame in frames]
    if size not in ran:
        return slowness, size, float('nan'), runs(ran), []
    place = ran.index(size)
    return (slowness, size, frames[place].stamp - frames[0].stamp, runs(ran[:place + 1]),
            runs(ran[place:])[1:])


def runs(sizes):
    """Return sizes without repetitions."""
    return sizes[:1] + [after for before, after in pairwise(sizes) if after != before]


def report(steps):
    """Print what came of each step, and the bars."""
    print()
    print_table(('times as slow', 'right size', 'reached after s', 'over', 'changes afterwards'),
                [(slowness, size, f'{seconds:.2f}', ' '.join(way), ' '.join(later) or 'none')
                 for slowness, size, seconds, way, later in steps])
    slowest = max((seconds for slowness, _, seconds, *_ in steps if slowness > 1),
                  key=lambda seconds: (seconds != seconds, seconds))
    changes = sum(len(later) for *_, later in steps)
    print_bars([('seconds of frames until a slower engine runs at the right size',
                 f'{slowest:.2f}', f'{SETTLED:.2f}', slowest <= SETTLED),
                ('changes of the size after it was right', changes, 0, not changes)])


if __name__ == '__main__':
    main()
