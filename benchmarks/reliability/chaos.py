"""Disturb segmentation_node while a camera sends images at 30 Hz.

    scripts/run python benchmarks/reliability/chaos.py --events 30
    scripts/run benchmarks/reliability/private_shm.sh 300 python benchmarks/reliability/chaos.py

Each kind of disturbance is repeated. Counted are ends of the node that were not caused, labels
that the node published older than the budget, and lasting disturbances whose cause the diagnostics
name. Measured is the time from the end of an event until the label of an image that was sent later
is received; after SIGKILL it includes the start of the node. The second command gives all
processes a small shared memory of their own, which one more disturbance fills.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parents[1]))

import disturb_camera
import disturb_network
import disturb_node
from rig import open_rig, percentiles, print_machine, print_table, report_progress
from storm import Counts, Storm


class Disturbance(NamedTuple):
    """A kind of event, and parameters of the node beside those of all kinds."""

    name: str
    event: Callable[[Storm, Counts], None]
    parameters: Mapping[str, object] = {}


def disturbances(participants: int) -> list[Disturbance]:
    simulated, compressed = {'use_sim_time': True}, {'input.transport': 'compressed'}
    kinds = [
        Disturbance('SIGSTOP and SIGCONT', disturb_node.stop),
        Disturbance('SIGKILL', disturb_node.kill),
        Disturbance('a tenth of a processor', disturb_node.starve),
        Disturbance('lifecycle transitions', disturb_node.transition),
        Disturbance('parameters, reload, pause', disturb_node.change),
        Disturbance('camera restarts', disturb_camera.restart),
        Disturbance('other images', disturb_camera.change_images),
        Disturbance('stamps jump', disturb_camera.jump_stamps),
        Disturbance(f'{participants} foreign participants',
                    partial(disturb_network.flood, participants=participants)),
        Disturbance('another type on the topic', disturb_network.replace_camera),
        Disturbance('other compressed images', disturb_camera.change_images, compressed),
        Disturbance('simulated clock jumps', disturb_camera.jump_clock, simulated),
        Disturbance('stamps jump off a simulated clock', disturb_camera.jump_stamps, simulated)]
    if int(os.environ.get('PRIVATE_SHARED_MEMORY', 0)):
        kinds.append(Disturbance('full shared memory', disturb_network.fill_shared_memory))
    return kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--events', type=int, default=30, help='of each kind')
    parser.add_argument('--only', nargs='+', metavar='NAME', help='of disturbances')
    parser.add_argument('--participants', type=int, default=30, help='foreign ones')
    parser.add_argument('--budget', type=float, default=100.0, help='latency budget, ms')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--model', default='enet_camvid')
    parser.add_argument('--engine', default='auto')
    parser.add_argument('--size', type=int, nargs=2, default=[1280, 720], help='of the images')
    options = parser.parse_args()
    kinds = disturbances(options.participants)
    if options.only:
        kinds = [kind for kind in kinds if kind.name in options.only]
    parameters = {'latency.budget_ms': options.budget, 'model.path': options.model,
                  'model.engine': options.engine}
    rows, failed = [], False
    with open_rig() as rig:
        storm = Storm(rig, parameters, tuple(options.size), options.seed)
        for name, event, others in kinds:
            report_progress(name)
            if storm.parameters != {**parameters, **others}:
                storm.change_parameters({**parameters, **others})
            counts, labels, late = storm.run(event, options.events)
            rows.append((name, options.events, counts.refused, counts.crashes, labels, late,
                         f'{counts.named} of {counts.expected}',
                         *percentiles(counts.recoveries, 50, 100)))
            failed |= bool(counts.crashes or late)
    print_machine()
    print(f'budget {options.budget:g} ms, {options.size[0]}x{options.size[1]} at 30 Hz, seed '
          f'{options.seed}\n')
    print_table(('disturbance', 'events', 'refused', 'crashes', 'labels', 'older than the budget',
                 'causes named', 'recovery, median s', 'longest s'), rows)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
