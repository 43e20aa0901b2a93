"""What the managed nodes of this package have in common."""

import time
import traceback
from functools import wraps

from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from enet_ros.errors import BadInput
from enet_ros.latency.clocks import MonotonicClock
from enet_ros.ros.node_diagnostics import NodeDiagnostics
from enet_ros.ros.parameters import Parameters
from enet_ros.ros.transitions import survive_wrong_transitions

DONE, FAILED, BROKEN = (TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE,
                        TransitionCallbackReturn.ERROR)


def _told(transition):
    """Return a transition that tells what it raises, which rclpy would swallow."""
    @wraps(transition)
    def attempt(self, state):
        try:
            return transition(self, state)
        except Exception as error:
            self.tell(error, f'{transition.__name__} failed: ')
            return BROKEN
    return attempt


class ManagedNode(LifecycleNode):
    """A node with a life cycle, that says why it cannot be configured and stays up.

    A subclass has `_configure(config)`, which may raise, and `_start(config)`; `_stop()` and
    `_release()` undo them, from whatever state. words is a NodeDiagnostics' Words.
    """

    def __init__(self, name, config_class, words, **options):
        super().__init__(name, **options)
        self.parameters = Parameters(self, config_class)
        self.diagnostics = NodeDiagnostics(self, words)
        survive_wrong_transitions(self)

    @_told
    def on_configure(self, state):
        try:
            self._configure(self.parameters.read())
        except Exception as error:  # not broken: it can be tried again
            self._clear()
            self.tell(error, 'cannot configure: ')
            return FAILED
        self.parameters.locked = 'the node is configured; clean it up first'
        return super().on_configure(state)

    @_told
    def on_activate(self, state):
        result = super().on_activate(state)
        self._start(self.parameters.read())
        return result

    @_told
    def on_deactivate(self, state):
        self._halt()
        return super().on_deactivate(state)

    @_told
    def on_cleanup(self, state):
        self._clear()
        return DONE

    @_told
    def on_shutdown(self, state):
        self.close()
        return DONE

    @_told
    def on_error(self, state):
        error = self.diagnostics.error
        self.close()
        self.diagnostics.error = error  # what led here
        return DONE

    def close(self):
        """Stop and free everything, from whatever state."""
        try:
            self._halt()
        finally:
            self._clear()

    def age_clock(self):
        """Return the clock that ages count in: seconds that never go back."""
        if self.get_parameter('use_sim_time').value:
            return MonotonicClock(lambda: 1e-9 * self.get_clock().now().nanoseconds)
        return time.monotonic

    def tell(self, error, prefix):
        """Log what went wrong and keep it for the diagnostics."""
        self.diagnostics.error = ' '.join(f'{error}'.split()) or type(error).__name__
        text = str(error) if isinstance(error, BadInput) else traceback.format_exc()
        self.get_logger().error(prefix + text)

    def _halt(self):
        self.diagnostics.streams = []
        self._stop()

    def _clear(self):
        self.diagnostics.facts, self.diagnostics.error = {}, ''
        self.parameters.locked = ''
        self._release()
