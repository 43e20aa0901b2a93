"""How launch files bring managed nodes up."""

from launch.actions import EmitEvent, RegisterEventHandler
from launch.events import matches_action
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition


def bring_up(node, condition):
    """Return the actions that start a LifecycleNode, and configure and activate it.

    The latter two only where the condition holds.
    """
    return [
        RegisterEventHandler(
            OnStateTransition(
                target_lifecycle_node=node, start_state='configuring', goal_state='inactive',
                entities=[_change(node, Transition.TRANSITION_ACTIVATE)],
                handle_once=True),  # later the user decides
            condition=condition),
        node,
        _change(node, Transition.TRANSITION_CONFIGURE, condition=condition),
    ]


def _change(node, transition, **options):
    """Return the action that asks a managed node for a transition."""
    return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node),
                                       transition_id=transition), **options)
