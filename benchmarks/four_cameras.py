"""Measure how fairly an overloaded node shares its time among its cameras.

    scripts/run python benchmarks/four_cameras.py

Four cameras, each in a process of its own, send images at 15 Hz to one segmentation node. Prints
each camera's share of the labels.
"""

import argparse

from rig import (
    Receipt,
    between,
    open_rig,
    percentiles,
    print_machine,
    print_table,
    print_targets,
    sent,
)

NODE = 'segmentation_node'
CAMERAS = 'front', 'left', 'right', 'rear'
MIN_RATIO = 0.8  # fewest labels of a camera, relative to the most


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--seconds', type=float, default=60.0)
    parser.add_argument('--rate', type=float, default=15.0, help='of each camera, Hz')
    parser.add_argument('--budget-ms', type=float, default=0.0)
    parser.add_argument('--engine', default='auto')
    parser.add_argument('--width', type=int, default=640, help='of the images, pixels')
    parser.add_argument('--height', type=int, default=360, help='of the images, pixels')
    options = parser.parse_args()
    with open_rig() as rig:
        rig.start(NODE, parameters={'cameras': CAMERAS, 'model.engine': options.engine,
                                    'latency.budget_ms': options.budget_ms})
        for camera in CAMERAS:
            rig.camera(f'{camera}_camera', f'/{camera}/image', width=options.width,
                       height=options.height)
        rig.bring_up(NODE)
        labels = {camera: rig.receive(f'/{NODE}/{camera}/label') for camera in CAMERAS}
        for camera in CAMERAS[1:]:
            rig.set(f'{camera}_camera', {'rate_hz': options.rate})
        window = rig.turn(f'{CAMERAS[0]}_camera', options.rate, options.seconds,
                          labels[CAMERAS[0]])
    print_machine()
    print(f'images {options.width}x{options.height}, {options.seconds:g} s\n')
    report({camera: between(receipts, window) for camera, receipts in labels.items()},
           options.seconds)


def report(labels: dict[str, list[Receipt]], seconds: float) -> None:
    """Print each camera's figures, and whether the target is met."""
    counts = {camera: len(receipts) for camera, receipts in labels.items()}
    print_table(('camera', 'images sent', 'labels', 'labels per second', 'share', 'age p50 ms',
                 'age p99 ms'),
                [(camera, sent(receipts), len(receipts), len(receipts) / seconds,
                  f'{len(receipts) / max(sum(counts.values()), 1):.1%}',
                  *percentiles((each.age_ms for each in receipts), 50, 99))
                 for camera, receipts in labels.items()])
    if sum(counts.values()) > 0.9 * sum(map(sent, labels.values())):
        print('the node is not overloaded: raise --rate')
    ratio = min(counts.values()) / max(max(counts.values()), 1)
    print_targets([('fewest labels of a camera / most', f'{ratio:.2f}', f'{MIN_RATIO:.2f}',
                    ratio >= MIN_RATIO)])


if __name__ == '__main__':
    main()
