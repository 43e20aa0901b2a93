"""Start what segment.launch.py starts, and the semantic cloud node behind it."""

from launch import Action, LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import LifecycleNode

from enet_ros.ros import launch_actions
from enet_ros.ros.cloud_stream import INPUTS
from enet_ros.ros.street_camera import StreetCamera

NODE = 'semantic_cloud_node'
ARGUMENTS = {
    **launch_actions.ARGUMENTS,
    'rviz_config': (str(launch_actions.CONFIG / 'semantic_cloud.rviz'), 'what RViz shows'),
    'depth': ('depth', 'topic of the depth images, registered to the camera images'),
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
        *start_cloud(context),
        *launch_actions.start_rviz(context),
    ]


def start_cloud(context: LaunchContext) -> list[Action]:
    """Return the semantic cloud node and what belongs to it."""
    values = context.launch_configurations
    parameters = launch_actions.managed(context)
    actions: list[Action] = []
    if values['source'] == 'synthetic':
        camera = StreetCamera.from_parameter_file(values['params_file'], values['namespace'], NODE)
        parameters |= camera.parameters()
        actions += launch_actions.show_camera(context, camera, NODE)
    topics = {name: f'segmentation_node/{name}' for name in INPUTS}
    topics['depth'] = 'replay_node/depth' if values['source'] else values['depth']
    node = LifecycleNode(
        package='enet_ros', executable=NODE, name=NODE, namespace=values['namespace'],
        output='screen', parameters=[values['params_file'], parameters],
        remappings=list(topics.items()),
        **launch_actions.respawn(context))
    return [*actions, node]
