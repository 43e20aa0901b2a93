"""The launch actions that start a lifecycle node."""

from launch.action import Action
from launch.actions import EmitEvent, RegisterEventHandler
from launch.condition import Condition
from launch.events import matches_action
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition


def start_lifecycle_node(node: LifecycleNode, autostart: Condition) -> list[Action]:
    """Return the actions that start a lifecycle node, and configure and activate it.

    autostart: condition of the configuration and activation.
    """
    return [
        RegisterEventHandler(
            OnStateTransition(
                target_lifecycle_node=node, start_state='configuring', goal_state='inactive',
                entities=[_change_state(node, Transition.TRANSITION_ACTIVATE)],
                handle_once=True),  # later transitions are the user's
            condition=autostart),
        node,
        _change_state(node, Transition.TRANSITION_CONFIGURE, condition=autostart),
    ]


def _change_state(node: LifecycleNode, transition: int,
                  condition: Condition | None = None) -> Action:
    """Return the action that requests a transition of a lifecycle node."""
    return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node),
                                       transition_id=transition), condition=condition)
