"""Disturb the nodes while a camera sends images at 30 Hz.

    scripts/run python benchmarks/reliability/chaos.py --events 30
    scripts/run benchmarks/reliability/private_shm.sh 300 python benchmarks/reliability/chaos.py

Each kind of disturbance is repeated. Counted are ends of a node that were not caused, results
older than the budget (when segmentation_node published them, or when those of other nodes were
received), and lasting disturbances whose cause the diagnostics name. Measured is the time from the
end of an event until the result of an image that was sent later is received; after SIGKILL it
includes the start of the node. The second command gives all processes a small shared memory of
their own, which one more disturbance fills.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

sys.path.append(str(Path(__file__).parents[1]))

import disturb_camera
import disturb_network
import disturb_node
from consumer_storm import NODES, ConsumerStorm
from rig import open_rig, percentiles, print_machine, print_table, report_progress
from segmentation_storm import SegmentationStorm
from storm import Counts


class Disturbance(NamedTuple):
    """A kind of event, and parameters of segmentation_node beside those of all kinds.

    node: another node that is disturbed.
    """

    name: str
    event: Callable[[Any, Counts], None]
    parameters: Mapping[str, object] = {}
    node: str = ''


def disturbances(participants: int, system_clock: bool) -> Iterator[Disturbance]:
    simulated, compressed = {'use_sim_time': True}, {'input.transport': 'compressed'}
    yield Disturbance('SIGSTOP and SIGCONT', disturb_node.stop)
    yield Disturbance('SIGKILL', disturb_node.kill)
    yield Disturbance('a tenth of a processor', disturb_node.starve)
    yield Disturbance('lifecycle transitions', disturb_node.transition)
    yield Disturbance('parameters, reload, pause', disturb_node.change)
    yield Disturbance('camera restarts', disturb_camera.restart)
    yield Disturbance('other images', disturb_camera.change_images)
    yield Disturbance('stamps jump', disturb_camera.jump_stamps)
    if system_clock:
        yield Disturbance('system clock jumps', disturb_camera.jump_system_clock)
    yield Disturbance(f'{participants} foreign participants',
                      partial(disturb_network.flood, participants=participants))
    yield Disturbance('another type on the topic', disturb_network.replace_camera)
    if int(os.environ.get('PRIVATE_SHARED_MEMORY', 0)):
        yield Disturbance('full shared memory', disturb_network.fill_shared_memory)
    yield Disturbance('other compressed images', disturb_camera.change_images, compressed)
    yield Disturbance('simulated clock jumps', disturb_camera.jump_clock, simulated)
    yield Disturbance('stamps jump off a simulated clock', disturb_camera.jump_stamps, simulated)
    for node in NODES:
        yield Disturbance(f'SIGSTOP and SIGCONT of {node}', disturb_node.stop, node=node)
        yield Disturbance(f'SIGKILL of {node}', disturb_node.kill, node=node)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--events', type=int, default=30, help='of each kind')
    parser.add_argument('--only', nargs='+', metavar='NAME', help='of disturbances')
    parser.add_argument('--system-clock', action='store_true',
                        help='set the clock of this machine, too, by up to 20 s; needs root')
    parser.add_argument('--participants', type=int, default=30, help='foreign ones')
    parser.add_argument('--budget', type=float, default=100.0, help='latency budget, ms')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--model', default='enet_camvid')
    parser.add_argument('--engine', default='auto')
    parser.add_argument('--size', type=int, nargs=2, default=[1280, 720], help='of the images')
    options = parser.parse_args()
    kinds = list(disturbances(options.participants, options.system_clock))
    names = [kind.name for kind in kinds]
    if unknown := set(options.only or ()).difference(names):
        parser.error(f'--only: {", ".join(unknown)}: choose from {", ".join(names)}')
    kinds = [kind for kind in kinds if not options.only or kind.name in options.only]
    results: dict[str, Counts] = {}
    for node in ('', *NODES):
        if of_node := [kind for kind in kinds if kind.node == node]:
            results.update(measure(node, of_node, options))
    print_machine()
    print(f'budget {options.budget:g} ms, {options.size[0]}x{options.size[1]} at 30 Hz, seed '
          f'{options.seed}\n')
    print_table(('disturbance', 'events', 'refused', 'crashes', 'results', 'older than the budget',
                 'causes named', 'recovery, median s', 'longest s'),
                [(name, options.events, counts.refused, counts.crashes, counts.results,
                  counts.late, f'{counts.named} of {counts.expected}',
                  *percentiles(counts.recoveries, 50, 100)) for name, counts in results.items()])
    sys.exit(any(counts.crashes or counts.late for counts in results.values()))


def measure(node: str, kinds: Iterable[Disturbance], options: argparse.Namespace
            ) -> Iterator[tuple[str, Counts]]:
    """Yield the name and the counts of each kind of disturbance of a node."""
    parameters = {'latency.budget_ms': options.budget, 'model.path': options.model,
                  'model.engine': options.engine}
    with open_rig() as rig:
        storm = (ConsumerStorm(rig, node, parameters, options.size, options.seed) if node else
                 SegmentationStorm(rig, parameters, options.size, options.seed))
        for name, event, others, _ in kinds:
            report_progress(name)
            if isinstance(storm, SegmentationStorm):
                storm.use_parameters({**parameters, **others})
            yield name, storm.run(event, options.events)


if __name__ == '__main__':
    main()
