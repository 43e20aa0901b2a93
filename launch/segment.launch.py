"""Start the segmentation node, which activates itself; optionally with a source and RViz."""

from launch import Action, LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction

from enet_ros.ros import launch_actions

ARGUMENTS = {
    **launch_actions.ARGUMENTS,
    'rviz_config': (str(launch_actions.CONFIG / 'segment.rviz'), 'what RViz shows'),
}


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*launch_actions.declare(ARGUMENTS), OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list[Action]:
    """Return everything to start; raise BadInput before anything has started."""
    launch_actions.check_arguments(context)
    return [
        launch_actions.enlarge_shared_memory(),
        *launch_actions.start_source(context),
        launch_actions.start_segmentation(context),
        *launch_actions.start_rviz(context),
    ]
