"""Compare the age of labels on an overloaded machine with that of a node that queues images.

    scripts/run python benchmarks/node_latency.py

A camera sends 1280x720 images at 30 Hz, stamped when they are sent, in turns to the segmentation
node with a latency budget and to a node with a queue of ten images. Each node is a process of its
own. The network runs at a size that overloads both. A stream of images of the labels' size
measures the transport meanwhile. Prints the ages of the labels.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from enet_ros.msg import FrameTiming
from rig import (
    Receipt,
    Window,
    between,
    open_rig,
    percentiles,
    print_machine,
    print_table,
    print_targets,
    sent,
    within,
)

OURS, PEER = 'segmentation_node', 'queueing_node'
TRANSPORT_HZ = 10.0
MIN_AGE_RATIO = 5.0  # the peer's p99 age, relative to ours
MAX_GROWTH = 1.1  # of the age during a turn
OVERLOADED = 0.9  # share of images with a label below which a node is overloaded


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--seconds', type=float, default=120.0, help='of a turn')
    parser.add_argument('--rounds', type=int, default=2, help='of one turn each')
    parser.add_argument('--budget-ms', type=float, default=100.0)
    parser.add_argument('--reserve-ms', type=float, default=0.0,
                        help='part of the budget that is reserved for transport')
    parser.add_argument('--rate', type=float, default=30.0, help='of the camera, Hz')
    parser.add_argument('--width', type=int, default=800, help='of the network, pixels')
    parser.add_argument('--height', type=int, default=448, help='of the network, pixels')
    parser.add_argument('--engine', default='auto', help='of the segmentation node')
    parser.add_argument('--peer', default='plain', choices=('plain', 'openvino', 'onnxruntime'),
                        help="the peer's runtime, with NumPy for the rest; plain is eager PyTorch")
    options = parser.parse_args()
    network = {'width': options.width, 'height': options.height}
    with open_rig() as rig:
        rig.start(OURS, parameters={
            'latency.budget_ms': options.budget_ms, 'latency.reserve_ms': options.reserve_ms,
            'model.engine': options.engine,
            **{f'input.{name}': side for name, side in network.items()}},
            topics={'image': f'/{OURS}/image'})
        rig.start(PEER, parameters={**network, 'runtime': options.peer},
                  topics={'image': f'/{PEER}/image'})
        for node in (OURS, PEER):
            rig.camera(f'camera_of_{node}', f'/{node}/image')
        rig.camera('transport', '/transport', mono=True, reliable=True)
        rig.bring_up(OURS)
        labels = {node: rig.receive(f'/{node}/label') for node in (OURS, PEER)}
        timings = rig.receive(f'/{OURS}/timing', FrameTiming)
        transport = rig.receive('/transport')
        outputs = {**labels, OURS: timings}  # ours may withhold all labels
        rig.set('transport', {'rate_hz': TRANSPORT_HZ})
        windows: dict[str, list[Window]] = {node: [] for node in labels}
        for _ in range(options.rounds):
            for node in labels:
                windows[node].append(rig.turn(f'camera_of_{node}', options.rate,
                                              options.seconds, outputs[node]))
    print_machine()
    print(f'network {options.width}x{options.height}, budget {options.budget_ms:g} ms of which '
          f'{options.reserve_ms:g} ms are reserved for transport, peer with {options.peer}; '
          f'{options.rounds} turns of {options.seconds:g} s each\n')
    report(labels, timings, transport, windows, options)


def report(labels: dict[str, list[Receipt]], timings: list[Receipt], transport: list[Receipt],
           windows: dict[str, list[Window]], options: argparse.Namespace) -> None:
    """Print the figures, and whether the targets are met."""
    ages = {node: Ages(receipts, windows[node]) for node, receipts in labels.items()}
    ours, peer = ages[OURS], ages[PEER]
    print_table(('', OURS, PEER), [
        *((f'age on receipt, {name}, ms', ours.percentiles[name], peer.percentiles[name])
          for name in ours.percentiles),
        ('share of labels over the budget on receipt', *(
            f'{each.share_over(options.budget_ms):.2%}' for each in ages.values())),
        ('p50 in the last fifth of turns / in the first', *(f'{each.growth:.2f}'
                                                            for each in ages.values())),
        ('labels per second', *(each.label_rate for each in ages.values())),
        ('images per second', *(each.image_rate for each in ages.values())),
        ('share of images without a label', *(f'{1 - each.labeled:.0%}'
                                              for each in ages.values()))])
    published = [receipt.timing.age_ms for receipt in timings if not receipt.timing.drop_reason]
    own = {receipt.number: receipt.timing.age_ms for receipt in timings}
    own_transport = [receipt.age_ms - own[receipt.number]
                     for receipt in within(labels[OURS], windows[OURS]) if receipt.number in own]
    one_way, = percentiles((each.age_ms for each in within(transport, windows[OURS])), 99)
    reasons = [receipt.timing.drop_reason for receipt in within(timings, windows[OURS])
               if receipt.timing.drop_reason]
    dropped = ', '.join(f'{reasons.count(reason)} {reason}' for reason in sorted(set(reasons)))
    print(f'\nframes dropped for their age: {dropped or "none"}; others were superseded by newer '
          f'ones or lost in transport\np99 of the transport: {one_way:.1f} ms; of the labels of '
          f'{OURS}: {percentiles(own_transport, 99)[0]:.1f} ms')
    for node, each in ages.items():
        if each.labeled > OVERLOADED:
            print(f'{node} is not overloaded; use a larger --width and --height')
    oldest, p99 = max(published, default=float('nan')), ours.percentiles['p99']
    budget, peer_limit = options.budget_ms, peer.percentiles['p99'] / MIN_AGE_RATIO
    print_targets([
        ('age of the oldest label when published, ms', oldest, budget, oldest <= budget),
        (f"p99 on receipt at most 1/{MIN_AGE_RATIO:g} of the peer's, ms", p99, peer_limit,
         p99 <= peer_limit),
        ('p99 on receipt at most the budget + p99 of the transport, ms', p99, budget + one_way,
         p99 <= budget + one_way),
        ('growth of the age during a turn', f'{ours.growth:.2f}', f'{MAX_GROWTH:.2f}',
         ours.growth <= MAX_GROWTH)])


class Ages:
    """The ages of a node's labels on receipt, over all its turns.

    percentiles: milliseconds by name. labeled: share of the images sent that got a label.
    growth: ratio of the median ages in the last and the first fifth of the turns.
    """

    def __init__(self, receipts: Sequence[Receipt], windows: Sequence[Window]) -> None:
        turns = [between(receipts, window) for window in windows]
        counted = [receipt for turn in turns for receipt in turn]
        seconds = sum(end - begin for begin, end in windows)
        images = sum(map(sent, turns))
        ranks = {'p50': 50, 'p95': 95, 'p99': 99, 'p99.9': 99.9, 'max': 100}
        self.percentiles = dict(zip(ranks, percentiles((each.age_ms for each in counted),
                                                       *ranks.values())))
        self.label_rate, self.image_rate = len(counted) / seconds, images / seconds
        self.labeled = len(counted) / max(images, 1)
        first, last = (percentiles((each.age_ms for window, turn in zip(windows, turns)
                                    for each in between(turn, fifth(window, index))), 50)[0]
                       for index in (0, 4))
        self.growth = last / first
        self._ages = np.array([each.age_ms for each in counted])

    def share_over(self, milliseconds: float) -> float:
        """Return the share of labels that are older on receipt."""
        return float((self._ages > milliseconds).mean())


def fifth(window: Window, index: int) -> Window:
    """Return one fifth of a window; index 0 to 4."""
    begin, length = window[0], (window[1] - window[0]) / 5
    return begin + index * length, begin + (index + 1) * length


if __name__ == '__main__':
    main()
