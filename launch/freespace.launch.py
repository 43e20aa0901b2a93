"""Start what segment.launch.py starts, and the free space node behind the segmentation node."""

from launch import Action, LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import LifecycleNode

from enet_ros.errors import BadInput
from enet_ros.ros import launch_actions
from enet_ros.ros.label_stream import INPUTS
from enet_ros.ros.parameter_file import write_parameter_file
from enet_ros.ros.street_camera import StreetCamera

ARGUMENTS = {
    **launch_actions.ARGUMENTS,
    'rviz_config': (str(launch_actions.CONFIG / 'freespace.rviz'), 'what RViz shows'),
    'processes': ('two', 'one or two for the two nodes; in one the free space node is always '
                  'active'),
    'odom': ('odom', 'topic of the odometry, for fusion.enabled'),
}


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*launch_actions.declare(ARGUMENTS), OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list[Action]:
    """Return everything to start; raise BadInput before anything has started."""
    values = context.launch_configurations
    launch_actions.check_arguments(context)
    if values['processes'] not in ('one', 'two'):
        raise BadInput(f'processes is {values["processes"]!r}; choose one or two')
    return [
        launch_actions.enlarge_shared_memory(),
        *launch_actions.start_source(context),
        *start_nodes(context),
        *launch_actions.start_rviz(context),
    ]


def start_nodes(context: LaunchContext) -> list[Action]:
    """Return both nodes and what belongs to them."""
    values = context.launch_configurations
    parameters = launch_actions.managed(context)
    actions: list[Action] = []
    if values['source'] == 'synthetic':
        camera = StreetCamera.from_parameter_file(values['params_file'], values['namespace'],
                                                  'freespace_node')
        parameters |= camera.parameters()
        actions += launch_actions.show_camera(context, camera, 'freespace_node')
    # A file reaches the free space node in either process.
    overrides = write_parameter_file('freespace_node', parameters)
    odom = ('odom', values['odom'])
    if values['processes'] == 'one':
        return [*actions, launch_actions.start_segmentation(
            context, 'segmentation_and_freespace', extra_files=[overrides], remappings=[odom])]
    node = LifecycleNode(
        package='enet_ros', executable='freespace_node', name='freespace_node',
        namespace=values['namespace'], output='screen',
        parameters=[values['params_file'], overrides],
        remappings=[odom, *((name, f'segmentation_node/{name}') for name in INPUTS)],
        **launch_actions.respawn(context))
    return [*actions, launch_actions.start_segmentation(context), node]
