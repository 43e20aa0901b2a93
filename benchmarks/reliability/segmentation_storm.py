"""segmentation_node under test, its camera, and what it publishes."""

import re
import time
from collections.abc import Callable, Mapping, Sequence

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rig import ACTIVATE, CONFIGURE, CONFIGURE_TIMEOUT, RESPONSE_TIMEOUT, FrameTiming, Rig
from storm import Counts, Storm

from enet_ros.ros.demo.waiting_node import DemoFailure

NODE, CAMERA = 'segmentation_node', 'camera'
TO_ACTIVE = {'unconfigured': CONFIGURE, 'inactive': ACTIVATE}
DIAGNOSIS_SECONDS = 60.0  # in which the diagnostics must name the cause of a lasting disturbance
ENCODINGS = {'raw': 'bgr8', 'compressed': 'jpeg'}  # at the start, by the node's transport


class SegmentationStorm(Storm):
    """Controls the node and its camera, and receives labels, timings and diagnostics.

    parameters: of the node. size: of the camera's images, width and height.
    """

    def __init__(self, rig: Rig, parameters: Mapping[str, object], size: Sequence[int],
                 seed: int) -> None:
        super().__init__(rig, NODE, seed)
        self.size, self.parameters = tuple(size), dict(parameters)
        self.labels = rig.receive(f'/{NODE}/label')
        self.timings = rig.receive(f'/{NODE}/timing', FrameTiming)
        self.start_camera()
        self.start_node()
        self.recovery()

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
        self.node = self.rig.start(NODE, parameters={**self.parameters, 'autostart': True},
                                   topics={'image': '/image'})

    def restart_node(self) -> float:
        seconds = super().restart_node()
        self.rig.wait_for_discovery(f'/{NODE}', RESPONSE_TIMEOUT)
        return seconds

    def use_parameters(self, parameters: Mapping[str, object]) -> None:
        """Replace camera and node by others if the node has other parameters."""
        if parameters != self.parameters:
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

    def has_result(self, start: float) -> Callable[[], bool]:
        # The label must have the size of the camera's images. If the clock was set back, earlier
        # images have later times, but those are in the future.
        known = len(self.labels)
        return lambda: any(start < 1e-9 * each.number <= time.time()
                           and each.size == self.image_size for each in self.labels[known:])

    @property
    def image_size(self) -> tuple[int, ...]:
        return tuple(int(str(self.camera_settings[side])) for side in ('width', 'height'))

    def input_description(self) -> str:
        return f'images of {self.image_size[0]}x{self.image_size[1]} pixels'

    def expect(self, counts: Counts, pattern: str) -> None:
        """Wait until the diagnostics name a cause, and count whether they do."""
        known = len(self.statuses)
        counts.expected += 1
        counts.named += self.rig.wait(
            lambda: any(re.search(pattern, text) for text in self.statuses[known:]),
            DIAGNOSIS_SECONDS)

    def results(self) -> tuple[int, int]:
        # The ages are those at publication.
        return len(self.labels), sum(
            not each.timing.drop_reason and each.timing.age_ms > each.timing.budget_ms
            for each in self.timings)

    def restore(self) -> None:
        self.activate()
        self.rig.set(NODE, {'model.path': self.parameters['model.path'],
                            'latency.max_age_ms': 0.0, 'output.confidence_threshold': 0.0})
        self.recovery()
