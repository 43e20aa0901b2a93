"""How old labels are on an overloaded machine, beside a node of the common kind.

    scripts/run python benchmarks/node_latency.py

A camera sends 1280x720 images at 30 Hz, stamped when they are sent, to the segmentation node with
a latency budget and to a node with a queue of ten images, in turns; each is a process of its own.
The network runs at a size that overloads both. Beside them a stream of images of the labels' size
measures the transport. Prints the labels' ages and whether the bars are reached.
"""

import argparse

from enet_ros.msg import FrameTiming
from rig import (
    between,
    open_rig,
    percentiles,
    print_bars,
    print_machine,
    print_table,
    sent,
    within,
)

OURS, PEER = 'segmentation_node', 'common_node'
TRANSPORT_HZ = 10.0
AGE_RATIO, GROWTH = 5.0, 1.1
KEPT_UP = 0.9  # share of the images answered from which on a node is not overloaded


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=120.0, help='of a turn')
    parser.add_argument('--rounds', type=int, default=2, help='of one turn each')
    parser.add_argument('--budget-ms', type=float, default=100.0)
    parser.add_argument('--rate', type=float, default=30.0, help='of the camera, Hz')
    parser.add_argument('--width', type=int, default=800, help='of the network, pixels')
    parser.add_argument('--height', type=int, default=448, help='of the network, pixels')
    parser.add_argument('--engine', default='auto', help='of the segmentation node')
    parser.add_argument('--peer', default='plain', choices=('plain', 'openvino', 'onnxruntime'),
                        help="the peer's runtime, NumPy around it; plain is eager PyTorch")
    options = parser.parse_args()
    network = {'width': options.width, 'height': options.height}
    with open_rig() as rig:
        rig.start(OURS, parameters={
            'latency.budget_ms': options.budget_ms, 'model.engine': options.engine,
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
        heard = {**labels, OURS: timings}  # it may have to withhold all its labels
        rig.set('transport', {'rate_hz': TRANSPORT_HZ})
        windows = {node: [] for node in labels}
        for _ in range(options.rounds):
            for node in labels:
                windows[node].append(rig.turn(f'camera_of_{node}', options.rate,
                                              options.seconds, heard[node]))
    print_machine()
    print(f'network {options.width}x{options.height}, budget {options.budget_ms:g} ms, peer with '
          f'{options.peer}; {options.rounds} turns of {options.seconds:g} s each\n')
    report(labels, timings, transport, windows, options)


def report(labels, timings, transport, windows, options):
    """Print the figures and the bars."""
    found = {node: Ages(receipts, windows[node]) for node, receipts in labels.items()}
    ours, peer = found[OURS], found[PEER]
    print_table(('', OURS, PEER), [
        *((f'age on receipt {rank}, ms', ours.ranks[rank], peer.ranks[rank])
          for rank in ours.ranks),
        ('p50 of the last fifth of turns / of the first', *(f'{each.growth:.2f}'
                                                             for each in found.values())),
        ('labels a second', *(each.rate for each in found.values())),
        ('images sent a second', *(each.sent_rate for each in found.values())),
        ('share of images without a label', *(f'{1 - each.answered:.0%}'
                                              for each in found.values()))])
    published = [receipt.timing.age_ms for receipt in timings if not receipt.timing.drop_reason]
    own = {receipt.number: receipt.timing.age_ms for receipt in timings}
    own_transport = [receipt.age_ms - own[receipt.number]
                     for receipt in within(labels[OURS], windows[OURS]) if receipt.number in own]
    one_way, = percentiles((each.age_ms for each in within(transport, windows[OURS])), 99)
    reasons = [receipt.timing.drop_reason for receipt in within(timings, windows[OURS])
               if receipt.timing.drop_reason]
    withheld = ', '.join(f'{reasons.count(reason)} {reason}' for reason in sorted(set(reasons)))
    print(f'\ndropped for their age: {withheld or "none"}; the others were superseded by newer '
          f"ones or lost on the way\np99 of the transport: {one_way:.1f} ms, of the node's own "
          f'labels {percentiles(own_transport, 99)[0]:.1f} ms')
    for node, each in found.items():
        if each.answered > KEPT_UP:
            print(f'{node} is not overloaded: choose a larger network')
    oldest, p99 = max(published, default=float('nan')), ours.ranks['p99']
    budget = options.budget_ms
    print_bars([
        ('oldest label when published, ms', oldest, budget, oldest <= budget),
        (f'p99 on receipt, 1/{AGE_RATIO:g} of the peer, ms', p99, peer.ranks['p99'] / AGE_RATIO,
         p99 <= peer.ranks['p99'] / AGE_RATIO),
        ('p99 on receipt, budget + p99 of the transport, ms', p99, budget + one_way,
         p99 <= budget + one_way),
        ('growth over a turn, times', f'{ours.growth:.2f}', f'{GROWTH:.2f}',
         ours.growth <= GROWTH)])


class Ages:
    """The ages of a node's labels on receipt, in all its turns together."""

    def __init__(self, receipts, windows):
        turns = [between(receipts, window) for window in windows]
        counted = [receipt for turn in turns for receipt in turn]
        seconds = sum(end - begin for begin, end in windows)
        images = sum(map(sent, turns))
        ranks = {'p50': 50, 'p95': 95, 'p99': 99, 'max': 100}
        self.ranks = dict(zip(ranks, percentiles((each.age_ms for each in counted),
                                                 *ranks.values())))
        self.rate, self.sent_rate = len(counted) / seconds, images / seconds
        self.answered = len(counted) / max(images, 1)
        first, last = (percentiles((each.age_ms for window, turn in zip(windows, turns)
                                    for each in between(turn, fifth(window, place))), 50)[0]
                       for place in (0, 4))
        self.growth = last / first


def fifth(window, place):
    """Return the (begin, end) of one fifth of a window."""
    begin, length = window[0], (window[1] - window[0]) / 5
    return begin + place * length, begin + (place + 1) * length


if __name__ == '__main__':
    main()
