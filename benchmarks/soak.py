"""Check the segmentation node for leaks of memory and threads.

    scripts/run python benchmarks/soak.py

A camera sends 1280x720 images at 30 Hz for some minutes. Labels, confidence, overlay and timing
are received, and the node's resident memory is read once per second. Then, with the camera still
sending, the node goes through its lifecycle many times. Prints the growth of memory and threads.
"""

import argparse

from enet_ros.msg import FrameTiming
from rig import (
    ACTIVATE,
    CLEANUP,
    CONFIGURE,
    DEACTIVATE,
    RESPONSE_TIMEOUT,
    DemoFailure,
    Receipt,
    Rig,
    open_rig,
    percentiles,
    print_machine,
    print_table,
    print_targets,
    process_status,
)

NODE, CAMERA = 'segmentation_node', 'camera'
WARM_UP = 60.0  # seconds that do not count, at most a quarter of the run
MAX_GROWTH = 0.02  # of the memory under load


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
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
        memory = sample_memory(rig, node.pid, round(60 * options.minutes))
        label_count = len(labels)
        cycles = run_cycles(rig, node.pid, options.cycles, labels)
    print_machine()
    print(f'{options.minutes:g} minutes, {label_count} labels, {options.cycles} cycles\n')
    report(memory, cycles)


def sample_memory(rig: Rig, pid: int, seconds: int) -> list[float]:
    """Return the resident memory in MiB, once per second."""
    memory = []
    for _ in range(seconds):
        rig.pause(1.0)
        memory.append(process_status(pid)[0])
    return memory


def run_cycles(rig: Rig, pid: int, cycles: int, labels: list[Receipt]) -> list[tuple[float, int]]:
    """Clean up and reactivate the node; return (MiB, threads) each time it is unconfigured.

    The first value is before the first cycle: what the first use left behind.
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


def wait_for_label(rig: Rig, labels: list[Receipt]) -> None:
    before = len(labels)
    if not rig.wait(lambda: len(labels) > before, RESPONSE_TIMEOUT):
        raise DemoFailure(f'no label was received within {RESPONSE_TIMEOUT:.0f} s')


def report(memory: list[float], cycles: list[tuple[float, int]]) -> None:
    """Print memory and threads over time, and whether the targets are met."""
    counted = memory[round(min(WARM_UP, len(memory) / 4)):]
    fifth = max(len(counted) // 5, 1)
    (first,), (last,) = percentiles(counted[:fifth], 50), percentiles(counted[-fifth:], 50)
    print_table(('', 'resident MiB', 'threads'), [
        ('under load, first fifth after the warm-up', first, ''),
        ('under load, last fifth', last, ''),
        ('under load, maximum', max(memory), ''),
        *((f'cleaned up, after {done} cycles', *cycles[done])
          for done in (0, len(cycles) // 2, len(cycles) - 1))])
    growth, new_threads = last / first - 1, cycles[-1][1] - cycles[0][1]
    print_targets([('growth of memory under load', f'{growth:+.2%}', f'{MAX_GROWTH:.2%}',
                    growth < MAX_GROWTH),
                   ('threads left over after all cycles', new_threads, 0, new_threads <= 0)])


if __name__ == '__main__':
    main()
