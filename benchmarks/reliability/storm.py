"""segmentation_node under test, its camera, and what it publishes."""

import random
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter

sys.path.append(str(Path(__file__).parents[1]))

from rig import ACTIVATE, CONFIGURE, CONFIGURE_TIMEOUT, RESPONSE_TIMEOUT, FrameTiming, Receipt, Rig

from enet_ros.ros.demo.waiting_node import DemoFailure

NODE, CAMERA = 'segmentation_node', 'camera'
TO_ACTIVE = {'unconfigured': CONFIGURE, 'inactive': ACTIVATE}
DIAGNOSIS_SECONDS = 60.0  # in which the diagnostics must name the cause of a lasting disturbance
ENCODINGS = {'raw': 'bgr8', 'compressed': 'jpeg'}  # at the start, by the node's transport


@dataclass
class Counts:
    """What became of one kind of disturbance.

    named, expected: causes that the diagnostics named, of those that they should name.
    recoveries: seconds.
    """

    refused: int = 0
    crashes: int = 0
    named: int = 0
    expected: int = 0
    recoveries: list[float] = field(default_factory=list)


class Storm:
    """Controls the node and its camera, and receives labels, timings and diagnostics.

    parameters: of the node. size: of the camera's images, width and height.
    """

    def __init__(self, rig: Rig, parameters: Mapping[str, object], size: tuple[int, int],
                 seed: int) -> None:
        self.rig, self.size, self.random = rig, size, random.Random(seed)
        self.parameters = dict(parameters)
        self.labels = rig.receive(f'/{NODE}/label')
        self.timings = rig.receive(f'/{NODE}/timing', FrameTiming)
        self.statuses: list[str] = []
        rig.create_subscription(DiagnosticArray, '/diagnostics', self._receive_status, 10)
        self.start_camera()
        self.start_node()
        self.recovery()

    def _receive_status(self, array: DiagnosticArray) -> None:
        self.statuses += [status.message for status in array.status
                          if status.name.startswith(f'{NODE}:')]

    @property
    def transport(self) -> str:
        return str(self.parameters.get('input.transport', 'raw'))

    def start_camera(self, **settings: object) -> None:
        """Start the camera, which sends at once."""
        self.camera_settings = {'width': self.size[0], 'height': self.size[1],
                                'encoding': ENCODINGS[self.transport], **settings}
        self.rig.start('changing_camera', CAMERA,
                       {**self.camera_settings,
                        'simulated': self.parameters.get('use_sim_time', False)},
                       {'image': '/image'})

    def kill_camera(self) -> None:
        if camera := self.rig.processes.pop(CAMERA, None):
            camera.kill()
            camera.wait()

    def restart_camera(self, **settings: object) -> None:
        """Replace the camera, and wait until it runs."""
        self.kill_camera()
        self.start_camera(**settings)
        self.set_camera()

    def set_camera(self, **settings: object) -> None:
        """Change parameters of the camera."""
        self.camera_settings |= settings
        self.rig.wait_for_discovery(f'/{CAMERA}', RESPONSE_TIMEOUT)
        self.rig.set(CAMERA, settings)

    def start_node(self) -> None:
        """Start the node, which activates itself."""
        self.node = self.rig.start(NODE, parameters={**self.parameters, 'autostart': True},
                                   topics={'image': '/image'})

    def restart_node(self) -> float:
        """Kill the node and start it again; return the seconds until its first label."""
        start = time.time()
        self.node.kill()
        self.node.wait()
        self.start_node()
        self.recovery()
        seconds = time.time() - start
        self.rig.wait_for_discovery(f'/{NODE}', RESPONSE_TIMEOUT)
        return seconds

    def change_parameters(self, parameters: Mapping[str, object]) -> None:
        """Replace camera and node by others with these parameters of the node."""
        self.parameters = dict(parameters)
        self.restart_camera()
        self.restart_node()

    def activate(self) -> None:
        while (state := self.state()) != 'active':
            if state not in TO_ACTIVE or not self.change_state(TO_ACTIVE[state]):
                raise DemoFailure(f'{NODE} cannot be activated in the state {state}')

    def change_state(self, transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.rig.call(ChangeState, f'/{NODE}/change_state', request,
                             discovery_timeout=CONFIGURE_TIMEOUT,
                             timeout=CONFIGURE_TIMEOUT).success

    def state(self) -> str:
        return self.rig.call(GetState, f'/{NODE}/get_state', GetState.Request(),
                             timeout=RESPONSE_TIMEOUT).current_state.label

    def set_parameter(self, name: str, value: object) -> bool:
        """Return whether the node accepts a value."""
        parameter = Parameter(name, value=value).to_parameter_msg()
        response = self.rig.call(SetParameters, f'/{NODE}/set_parameters',
                                 SetParameters.Request(parameters=[parameter]),
                                 timeout=RESPONSE_TIMEOUT)
        return response.results[0].successful

    def recovery(self) -> float:
        """Wait for a label of an image that is sent from now on; return the seconds.

        The label must have the size of the camera's images.
        """
        start, known = time.time(), len(self.labels)
        size = self.camera_settings['width'], self.camera_settings['height']

        def has_label() -> bool:
            return any(1e-9 * each.number > start and each.size == size
                       for each in self.labels[known:])

        if not self.rig.wait(has_label, RESPONSE_TIMEOUT):
            raise DemoFailure(f'no label of an image of {size[0]}x{size[1]} pixels within '
                              f'{RESPONSE_TIMEOUT:.0f} s of the last event; diagnostics: '
                              f'{self.statuses[-1] if self.statuses else "none"}')
        return time.time() - start

    def expect(self, counts: Counts, pattern: str) -> None:
        """Wait until the diagnostics name a cause, and count whether they do."""
        known = len(self.statuses)
        counts.expected += 1
        counts.named += self.rig.wait(
            lambda: any(re.search(pattern, text) for text in self.statuses[known:]),
            DIAGNOSIS_SECONDS)

    def late(self, first: int) -> list[Receipt]:
        """Return the published frames from number `first` on that were older than the budget."""
        return [each for each in self.timings[first:] if not each.timing.drop_reason
                and each.timing.age_ms > each.timing.budget_ms]

    def restore(self) -> None:
        """Bring node and camera back to the state in which they started."""
        self.activate()
        self.rig.set(NODE, {'model.path': self.parameters['model.path'],
                            'latency.max_age_ms': 0.0, 'output.confidence_threshold': 0.0})
        self.recovery()

    def run(self, event: Callable[['Storm', Counts], None], events: int
            ) -> tuple[Counts, int, int]:
        """Cause some events; return their counts, and the numbers of labels and of late ones."""
        counts, labels, timings = Counts(), len(self.labels), len(self.timings)
        for _ in range(events):
            try:
                event(self, counts)
            except DemoFailure:
                if self.node.poll() is None:
                    raise
                counts.crashes += 1
                self.restart_node()
        self.restore()
        return counts, len(self.labels) - labels, len(self.late(timings))
