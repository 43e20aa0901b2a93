"""Stop, kill, reconfigure and reload segmentation_node while a camera sends images at 30 Hz.

    scripts/run python benchmarks/reliability/chaos.py --events 30

Each kind of disturbance is repeated. Counted are ends of the node that were not caused, and labels
that the node published older than the budget. Measured is the time from the end of an event until
the label of an image that was sent later is received; after SIGKILL it includes the start of the
node.
"""

import argparse
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

sys.path.append(str(Path(__file__).parents[1]))

from rig import (
    ACTIVATE,
    CLEANUP,
    CONFIGURE,
    CONFIGURE_TIMEOUT,
    DEACTIVATE,
    RESPONSE_TIMEOUT,
    FrameTiming,
    Receipt,
    Rig,
    open_rig,
    print_machine,
    print_table,
    report_progress,
)

from enet_ros.ros.demo.waiting_node import DemoFailure

NODE, CAMERA = 'segmentation_node', 'camera'
TRANSITIONS = CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE
TO_ACTIVE = {'unconfigured': CONFIGURE, 'inactive': ACTIVATE}
RETRY_SECONDS = 2.0  # until a request is repeated whose response a new process may have lost
# Values of any kind, of which some are refused.
CHANGES: list[tuple[str, object]] = [
    ('overlay.alpha', 0.0), ('overlay.alpha', 1.0), ('overlay.alpha', 7.0),
    ('overlay.jpeg_quality', 1), ('overlay.jpeg_quality', 'best'), ('input.white_level', 4095),
    ('output.confidence_threshold', 0.9), ('output.confidence_threshold', float('nan')),
    ('output.size', 'network'), ('model.path', 'enet_camvid'), ('model.path', '/nowhere'),
    ('latency.max_age_ms', 500.0), ('latency.max_age_ms', -1.0), ('cameras', ['front'])]


@dataclass
class Counts:
    """What became of one kind of disturbance; recoveries in seconds."""

    refused: int = 0
    crashes: int = 0
    recoveries: list[float] = field(default_factory=list)


class Storm:
    """The node under test, its camera and what it publishes."""

    def __init__(self, rig: Rig, budget_ms: float, seed: int, model: str, size: tuple[int, int]
                 ) -> None:
        self.rig, self.random = rig, random.Random(seed)
        self.parameters = {'latency.budget_ms': budget_ms, 'model.path': model}
        self.labels = rig.receive(f'/{NODE}/label')
        self.timings = rig.receive(f'/{NODE}/timing', FrameTiming)
        rig.camera(CAMERA, '/image', width=size[0], height=size[1])
        self.start_node()
        rig.set(CAMERA, {'rate_hz': 30.0})
        self.recovery()

    def start_node(self) -> None:
        self.node = self.rig.start(NODE, parameters=self.parameters, topics={'image': '/image'})
        end = time.monotonic() + CONFIGURE_TIMEOUT
        while True:
            try:
                self.state(RETRY_SECONDS)
                break
            except DemoFailure:
                if self.node.poll() is not None or time.monotonic() > end:
                    raise
        self.activate()

    def activate(self) -> None:
        while (state := self.state()) != 'active':
            if state not in TO_ACTIVE or not self.change_state(TO_ACTIVE[state]):
                raise DemoFailure(f'{NODE} cannot be activated in the state {state}')

    def recovery(self) -> float:
        """Wait for a label of an image that is sent from now on; return the seconds."""
        start, known = time.time(), len(self.labels)
        if not self.rig.wait(lambda: any(each.stamp > start for each in self.labels[known:]),
                             RESPONSE_TIMEOUT):
            raise DemoFailure(f'no label within {RESPONSE_TIMEOUT:.0f} s of the last event')
        return time.time() - start

    def late(self, first: int) -> list[Receipt]:
        """Return the published frames from number `first` on that were older than the budget."""
        return [each for each in self.timings[first:] if not each.timing.drop_reason
                and each.timing.age_ms > each.timing.budget_ms]

    def stop(self, counts: Counts) -> None:
        """Stop the process for up to a second, and let it continue."""
        self.node.send_signal(signal.SIGSTOP)
        self.rig.pause(self.random.uniform(0.05, 1.0))
        self.node.send_signal(signal.SIGCONT)
        counts.recoveries.append(self.recovery())

    def kill(self, counts: Counts) -> None:
        """Kill the process, and start it again as a lifecycle manager does."""
        start = time.time()
        self.node.kill()
        self.node.wait()
        self.start_node()
        self.recovery()
        counts.recoveries.append(time.time() - start)

    def transition(self, counts: Counts) -> None:
        """Request some random transitions, most of them impossible, and activate the node."""
        for transition in self.random.choices(TRANSITIONS, k=3):
            counts.refused += not self.change_state(transition)
        self.activate()
        counts.recoveries.append(self.recovery())

    def change(self, counts: Counts) -> None:
        """Change a parameter, reload the model or pause the node."""
        what = self.random.random()
        if what < 0.6:
            name, value = self.random.choice(CHANGES)
            request = SetParameters.Request(
                parameters=[Parameter(name, value=value).to_parameter_msg()])
            response = self.rig.call(SetParameters, f'/{NODE}/set_parameters', request,
                                     timeout=RESPONSE_TIMEOUT)
            counts.refused += not response.results[0].successful
        elif what < 0.9:
            response = self.rig.call(Trigger, f'/{NODE}/reload', Trigger.Request(),
                                     timeout=CONFIGURE_TIMEOUT)
            counts.refused += not response.success
        else:
            for enabled in (False, True):
                self.rig.call(SetBool, f'/{NODE}/enable', SetBool.Request(data=enabled),
                              timeout=RESPONSE_TIMEOUT)
        counts.recoveries.append(self.recovery())

    def change_state(self, transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.rig.call(ChangeState, f'/{NODE}/change_state', request,
                             discovery_timeout=CONFIGURE_TIMEOUT,
                             timeout=CONFIGURE_TIMEOUT).success

    def state(self, timeout: float = RESPONSE_TIMEOUT) -> str:
        return self.rig.call(GetState, f'/{NODE}/get_state', GetState.Request(),
                             timeout=timeout).current_state.label

    def restore(self) -> None:
        """Bring the node back to the state in which it started."""
        self.activate()
        self.rig.set(NODE, {'model.path': self.parameters['model.path'],
                            'latency.max_age_ms': 0.0, 'output.confidence_threshold': 0.0})
        self.recovery()

    def run(self, event: Callable[[Counts], None], events: int) -> tuple[Counts, int, int]:
        """Cause some events; return their counts, and the numbers of labels and of late ones."""
        counts, labels, timings = Counts(), len(self.labels), len(self.timings)
        for _ in range(events):
            try:
                event(counts)
            except DemoFailure:
                if self.node.poll() is None:
                    raise
                counts.crashes += 1
                self.start_node()
        self.restore()
        return counts, len(self.labels) - labels, len(self.late(timings))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--events', type=int, default=30, help='of each kind')
    parser.add_argument('--budget', type=float, default=100.0, help='latency budget, ms')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--model', default='enet_camvid')
    parser.add_argument('--size', type=int, nargs=2, default=[640, 360], help='of the images')
    options = parser.parse_args()
    rows, failed = [], False
    with open_rig() as rig:
        storm = Storm(rig, options.budget, options.seed, options.model, tuple(options.size))
        for name, event in (('SIGSTOP and SIGCONT', storm.stop), ('SIGKILL', storm.kill),
                            ('lifecycle transitions', storm.transition),
                            ('parameters, reload, pause', storm.change)):
            report_progress(name)
            counts, labels, late = storm.run(event, options.events)
            recoveries = sorted(counts.recoveries) or [float('nan')]
            rows.append((name, options.events, counts.refused, counts.crashes, labels, late,
                         recoveries[len(recoveries) // 2], recoveries[-1]))
            failed |= bool(counts.crashes)
    print_machine()
    print(f'budget {options.budget:g} ms, {options.size[0]}x{options.size[1]} at 30 Hz, seed '
          f'{options.seed}\n')
    print_table(('disturbance', 'events', 'refused', 'crashes', 'labels', 'older than the budget',
                 'recovery, median s', 'longest s'), rows)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
