"""Whether the segmentation node keeps its memory and threads, under load and over life cycles.

    scripts/run python benchmarks/soak.py

A camera sends 1280x720 images at 30 Hz for some minutes; labels, confidence, overlay and timing
are received, and the node's resident memory is read once a second. Then the node is taken through
its life cycle again and again, the camera still sending. Prints growth and whether it is within
the bars.
"""

import argparse

from enet_ros.msg import FrameTiming
from rig import (
    ACTIVATE,
    ANSWER_WITHIN,
    CLEANUP,
    CONFIGURE,
    DEACTIVATE,
    DemoFailure,
    open_rig,
    percentiles,
    print_bars,
    print_machine,
    print_table,
    process_status,
)

NODE, CAMERA = 'segmentation_node', 'camera'
WARM_UP = 60.0  # seconds that do not count, a quarter of the run at most
GROWTH = 0.02


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=15.0)
    parser.add_argument('--cycles', type=int, default=100)
    parser.add_argument('--rate', type=float, default=30.0, help='of the camera, Hz')
    parser.add_argument('--engine', default='auto')
    options = parser.parse_args()
    with open_rig() as rig:
        node = rig.start(NODE, parameters={'model.engine': options.engine},
                         topics={'image': '/image'})
        rig.camera(CAMERA, '/image')
        rig.bring_up(NODE)
        labels = rig.receive(f'/{NODE}/label')
        for topic in ('confidence', 'overlay'):
            rig.receive(f'/{NODE}/{topic}')
        rig.receive(f'/{NODE}/timing', FrameTiming)
        rig.set(CAMERA, {'rate_hz': options.rate})
        wait_for_label(rig, labels)
        memory = sample(rig, node.pid, round(60 * options.minutes))
        answered = len(labels)
        cycles = cycle(rig, node.pid, options.cycles, labels)
    print_machine()
    print(f'{options.minutes:g} minutes, {answered} labels, {options.cycles} cycles\n')
    report(memory, cycles)


def sample(rig, pid, seconds):
    """Return the resident MiB of each second."""
    memory = []
    for _ in range(seconds):
        rig.pause(1.0)
        memory.append(process_status(pid)[0])
    return memory


def cycle(rig, pid, cycles, labels):
    """Take the active node through cycles; return (MiB, threads) each time that it is cleaned up.

    The first time comes before all cycles: it is what a first use leaves behind.
    """
    unconfigured = []
    for _ in range(cycles + 1):
        wait_for_label(rig, labels)
        rig.change_state(NODE, DEACTIVATE)
        rig.change_state(NODE, CLEANUP)
        unconfigured.append(process_status(pid))
        rig.change_state(NODE, CONFIGURE)
        rig.change_state(NODE, ACTIVATE)
    return unconfigured


def wait_for_label(rig, labels):
    before = len(labels)
    if not rig.wait(lambda: len(labels) > before, ANSWER_WITHIN):
        raise DemoFailure(f'no label came within {ANSWER_WITHIN:.0f} s')


def report(memory, cycles):
    """Print what was held when, and the bars."""
    counted = memory[round(min(WARM_UP, len(memory) / 4)):]
    fifth = max(len(counted) // 5, 1)
    (first,), (last,) = percentiles(counted[:fifth], 50), percentiles(counted[-fifth:], 50)
    print_table(('', 'resident MiB', 'threads'), [
        ('under load, first fifth after the warm-up', first, ''),
        ('under load, last fifth', last, ''),
        ('under load, at most', max(memory), ''),
        *((f'cleaned up, after {done} cycles', *cycles[done])
          for done in (0, len(cycles) // 2, len(cycles) - 1))])
    growth, more = last / first - 1, cycles[-1][1] - cycles[0][1]
    print_bars([('growth of memory under load', f'{growth:+.2%}', f'{GROWTH:.2%}',
                 growth < GROWTH),
                ('threads more after all cycles', more, 0, more <= 0)])


if __name__ == '__main__':
    main()
