"""What the segmentation node adds to the Segmenter on a machine that is not overloaded.

    scripts/run python benchmarks/node_overhead.py

A camera sends 1280x720 images to the node and to a process that has only a subscription, the
Segmenter and a publisher, in turns. Measured is the time from the receipt of an image there to
the receipt of its label here, labels of the image's size being the only output; the timing
message tells when the image came. Prints medians and whether the bar is reached.
"""

import argparse

import numpy as np
from enet_ros.msg import FrameTiming
from rig import (
    between,
    open_rig,
    percentiles,
    print_bars,
    print_machine,
    print_table,
    processor_ms,
    sent,
)

NODE, BARE = 'segmentation_node', 'bare_node'
SHARE, MILLISECONDS = 0.15, 3.0  # that the node may add
KEPT_UP = 0.95  # share of the images that must be answered


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
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
            BARE: rig.start(BARE, parameters={'engine': options.engine, 'width': options.width,
                                              'height': options.height},
                            topics={'image': f'/{BARE}/image'})}
        for node in (NODE, BARE):
            rig.camera(f'camera_of_{node}', f'/{node}/image')
        rig.bring_up(NODE)
        labels = {node: rig.receive(f'/{node}/label') for node in (NODE, BARE)}
        timings = {node: rig.receive(f'/{node}/timing', FrameTiming) for node in labels}
        windows, costs = {node: [] for node in labels}, dict.fromkeys(labels, 0.0)
        for _ in range(options.rounds):
            for node in labels:
                before = processor_ms(processes[node].pid)
                windows[node].append(rig.turn(f'camera_of_{node}', options.rate,
                                              options.seconds, labels[node]))
                costs[node] += processor_ms(processes[node].pid) - before
    print_machine()
    print(f'network {options.width}x{options.height}, {options.rate:g} Hz; {options.rounds} turns '
          f'of {options.seconds:g} s each\n')
    report({node: [taken(between(labels[node], window), timings[node])
                   for window in windows[node]] for node in labels},
           {node: costs[node] / len(receipts) for node, receipts in labels.items()})
    for node, receipts in labels.items():
        turns = [between(receipts, window) for window in windows[node]]
        if sum(map(len, turns)) < KEPT_UP * sum(map(sent, turns)):
            print(f'{node} did not keep up, so that this says little: lower --rate')


def taken(labels, timings):
    """Return the milliseconds from an image's receipt there to its label's here."""
    waited = {receipt.number: receipt.timing.age_on_arrival_ms for receipt in timings}
    return [receipt.age_ms - waited[receipt.number] for receipt in labels
            if receipt.number in waited]


def report(turns, costs):
    """Print the figures and the bar of {node: milliseconds by turn}; costs are processor's."""
    medians = {node: [percentiles(turn, 50)[0] for turn in found]
               for node, found in turns.items()}
    rows = []
    for node, found in turns.items():
        everything = [value for turn in found for value in turn]
        rows.append((node, len(everything), *percentiles(everything, 50, 95),
                     min(medians[node]), max(medians[node]), costs[node]))
    print_table(('', 'frames', 'median ms', 'p95 ms', 'least median of a turn', 'largest',
                 'processor time of all threads a frame, ms'), rows)
    # Turns of one round are neighbours in time.
    bare = float(np.median(medians[BARE]))
    added = float(np.median(np.subtract(medians[NODE], medians[BARE])))
    allowed = SHARE * bare + MILLISECONDS
    print_bars([(f'the node adds, ms: {SHARE:.0%} of {bare:.1f} + {MILLISECONDS:g} ms', added,
                 allowed, added <= allowed)])


if __name__ == '__main__':
    main()
