"""Measure what the segmentation node adds to the Segmenter on a machine that is not overloaded.

    scripts/run python benchmarks/node_overhead.py

A camera sends 1280x720 images in turns to the segmentation node and to a minimal node that has
only a subscription, a Segmenter and a publisher. Labels at the size of the images are the only
output. The latency is the time from a node's receipt of the image, which its timing message
states, until its label is received here.
"""

import argparse

import numpy as np
from enet_ros.msg import FrameTiming
from rig import (
    Receipt,
    Window,
    between,
    cpu_ms,
    open_rig,
    percentiles,
    print_machine,
    print_table,
    print_targets,
    sent,
)

NODE, MINIMAL = 'segmentation_node', 'minimal_node'
MAX_SHARE, MAX_MS = 0.15, 3.0  # what the node may add: a share of the latency, and milliseconds
MIN_LABELED = 0.95  # share of the images that must get a label


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--seconds', type=float, default=15.0, help='of a turn')
    parser.add_argument('--rounds', type=int, default=6, help='of one turn each')
    parser.add_argument('--rate', type=float, default=8.0, help='of the camera, Hz')
    parser.add_argument('--engine', default='auto')
    parser.add_argument('--width', type=int, default=640, help='of the network, pixels')
    parser.add_argument('--height', type=int, default=360, help='of the network, pixels')
    options = parser.parse_args()
    with open_rig() as rig:
        processes = {
            NODE: rig.start(NODE, parameters={'model.engine': options.engine,
                                              'input.width': options.width,
                                              'input.height': options.height},
                            topics={'image': f'/{NODE}/image'}),
            MINIMAL: rig.start(MINIMAL, parameters={'engine': options.engine,
                                                    'width': options.width,
                                                    'height': options.height},
                               topics={'image': f'/{MINIMAL}/image'})}
        for node in (NODE, MINIMAL):
            rig.camera(f'camera_of_{node}', f'/{node}/image')
        rig.bring_up(NODE)
        labels = {node: rig.receive(f'/{node}/label') for node in (NODE, MINIMAL)}
        timings = {node: rig.receive(f'/{node}/timing', FrameTiming) for node in labels}
        windows: dict[str, list[Window]] = {node: [] for node in labels}
        cpu_times = dict.fromkeys(labels, 0.0)
        for _ in range(options.rounds):
            for node in labels:
                before = cpu_ms(processes[node].pid)
                windows[node].append(rig.turn(f'camera_of_{node}', options.rate,
                                              options.seconds, labels[node]))
                cpu_times[node] += cpu_ms(processes[node].pid) - before
    print_machine()
    print(f'network {options.width}x{options.height}, {options.rate:g} Hz; {options.rounds} turns '
          f'of {options.seconds:g} s each\n')
    report({node: [latencies(between(labels[node], window), timings[node])
                   for window in windows[node]] for node in labels},
           {node: cpu_times[node] / len(receipts) for node, receipts in labels.items()})
    for node, receipts in labels.items():
        turns = [between(receipts, window) for window in windows[node]]
        if sum(map(len, turns)) < MIN_LABELED * sum(map(sent, turns)):
            print(f'{node} did not keep up, so the figures are not valid; lower --rate')


def latencies(labels: list[Receipt], timings: list[Receipt]) -> list[float]:
    """Return the milliseconds from a node's receipt of each image to receipt of its label."""
    transport = {receipt.number: receipt.timing.age_on_arrival_ms for receipt in timings}
    return [receipt.age_ms - transport[receipt.number] for receipt in labels
            if receipt.number in transport]


def report(turns: dict[str, list[list[float]]], cpu_times: dict[str, float]) -> None:
    """Print the figures, and whether the target is met.

    turns: milliseconds of each frame, by node and turn. cpu_times: milliseconds per frame.
    """
    medians = {node: [percentiles(turn, 50)[0] for turn in node_turns]
               for node, node_turns in turns.items()}
    rows = []
    for node, node_turns in turns.items():
        frames = [value for turn in node_turns for value in turn]
        rows.append((node, len(frames), *percentiles(frames, 50, 95),
                     min(medians[node]), max(medians[node]), cpu_times[node]))
    print_table(('', 'frames', 'median, ms', 'p95, ms', 'lowest median of a turn', 'highest',
                 'CPU time of all threads per frame, ms'), rows)
    # Compared round by round: turns of one round are close in time.
    minimal = float(np.median(medians[MINIMAL]))
    added = float(np.median(np.subtract(medians[NODE], medians[MINIMAL])))
    limit = MAX_SHARE * minimal + MAX_MS
    print_targets([(f'latency that the node adds, ms: {MAX_SHARE:.0%} of {minimal:.1f} + '
                    f'{MAX_MS:g} ms', added, limit, added <= limit)])


if __name__ == '__main__':
    main()
