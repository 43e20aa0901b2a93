"""The base class of the lifecycle nodes."""

import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import TYPE_CHECKING, Generic, TypeVar

from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.context import Context
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from enet_ros.errors import BadInput
from enet_ros.latency.clocks import MonotonicClock
from enet_ros.ros.bond import open_bond
from enet_ros.ros.diagnostics import DiagnosticTexts, NodeDiagnostics
from enet_ros.ros.parameters import Parameters

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SUCCESS, FAILURE, ERROR = (TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE,
                           TransitionCallbackReturn.ERROR)

ConfigT = TypeVar('ConfigT', bound='DataclassInstance')
ResourcesT = TypeVar('ResourcesT')
AUTOSTART = ParameterDescriptor(
    description='configure and activate the node when it starts', read_only=True)
Transition = Callable[['ManagedNode', LifecycleState], TransitionCallbackReturn]


def log_exceptions(transition: Transition) -> Transition:
    """Make a transition log its exceptions, which rclpy would swallow, and return ERROR."""
    @wraps(transition)
    def wrapper(self: 'ManagedNode', state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(self, state)
        except Exception as error:
            self.report_error(error, f'{transition.__name__} failed: ')
            return ERROR
    return wrapper


class ManagedNode(LifecycleNode, Generic[ConfigT, ResourcesT]):
    """A lifecycle node that reports why it cannot be configured and can then be tried again.

    A subclass implements `_create` and `_start`. `resources` are those of a configured node,
    otherwise None. Options are those of rclpy's Node.
    """

    def __init__(self, name: str, config_class: type[ConfigT], texts: DiagnosticTexts,
                 cli_args: list[str] | None = None, context: Context | None = None) -> None:
        super().__init__(name, cli_args=cli_args, context=context)
        self.resources: ResourcesT | None = None
        self.parameters: Parameters[ConfigT] = Parameters(self, config_class)
        self.diagnostics = NodeDiagnostics(self, texts)
        self._cleanup, self._deactivation = ExitStack(), ExitStack()
        reject_invalid_transitions(self)
        if self.declare_parameter('autostart', False, AUTOSTART).value:
            # As soon as the executor spins, whatever clock the node uses.
            self._autostart = self.create_timer(
                0.0, self._bring_up, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _bring_up(self) -> None:
        self.destroy_timer(self._autostart)
        if self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    def _create(self, config: ConfigT, cleanup: ExitStack) -> ResourcesT:
        """Load and create everything; may raise.

        cleanup: takes the callbacks that undo each step.
        """
        raise NotImplementedError

    def _start(self, config: ConfigT, resources: ResourcesT, deactivation: ExitStack) -> None:
        """Start processing frames.

        deactivation: takes the callbacks that undo each step.
        """
        raise NotImplementedError

    @log_exceptions
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self.resources = self._create(self.parameters.read(), self._cleanup)
        except Exception as error:  # FAILURE, not ERROR: the node can be configured again
            self._release_all()
            self.report_error(error, 'cannot configure: ')
            return FAILURE
        self.parameters.locked = 'the node is configured; clean it up first'
        return super().on_configure(state)

    @log_exceptions
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = super().on_activate(state)
        assert self.resources is not None
        self._start(self.parameters.read(), self.resources, self._deactivation)
        self.diagnostics.bond = open_bond(self, self._deactivation)
        self.get_logger().info(f'bond to a lifecycle manager: {self.diagnostics.bond}')
        return result

    @log_exceptions
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop_all()
        return super().on_deactivate(state)

    @log_exceptions
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._release_all()
        return SUCCESS

    @log_exceptions
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.close()
        return SUCCESS

    @log_exceptions
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        cause = self.diagnostics.error
        self.close()
        self.diagnostics.error = cause
        return SUCCESS

    def close(self) -> None:
        """Stop and release everything, in any state."""
        try:
            self._stop_all()
        finally:
            self._release_all()

    def age_clock(self) -> Callable[[], float]:
        """Return the clock in which ages are measured: seconds that never go back."""
        if self.get_parameter('use_sim_time').value:
            return MonotonicClock(lambda: 1e-9 * self.get_clock().now().nanoseconds)
        return time.monotonic

    def report_error(self, error: Exception, prefix: str) -> None:
        """Log an error and show it in the diagnostics."""
        self.diagnostics.error = ' '.join(f'{error}'.split()) or type(error).__name__
        text = str(error) if isinstance(error, BadInput) else traceback.format_exc()
        self.get_logger().error(prefix + text)

    def _stop_all(self) -> None:
        self.diagnostics.streams = []
        self._deactivation.close()

    def _release_all(self) -> None:
        self.diagnostics.settings, self.diagnostics.error = {}, ''
        self.parameters.locked = ''
        self.resources = None
        self._cleanup.close()


def reject_invalid_transitions(node: LifecycleNode) -> None:
    """Make a node respond with failure to a transition that its state does not allow.

    In rclpy up to Jazzy such a request raises an exception, which ends the process
    (ros2/rclpy#1209).
    """
    service = next(each for each in node.services if each.srv_type is ChangeState)
    change_state = service.callback

    def respond(request: ChangeState.Request,
                response: ChangeState.Response) -> ChangeState.Response:
        try:
            return change_state(request, response)
        except Exception as error:
            node.get_logger().warning(f'transition rejected: {" ".join(str(error).split())}')
            response.success = False
            return response

    service.callback = respond
