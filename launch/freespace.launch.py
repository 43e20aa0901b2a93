"""Start what segment.launch.py does, and the free space node behind the segmentation node."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetLaunchConfiguration,
)
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, SetRemap

from enet_ros.errors import BadInput
from enet_ros.ros.bring_up import bring_up
from enet_ros.ros.combined_process import INPUTS

SEGMENT = Path(get_package_share_directory('enet_ros')) / 'launch' / 'segment.launch.py'
EXECUTABLES = {'two': 'segmentation_node', 'one': 'segmentation_and_freespace'}
ARGUMENTS = {
    'processes': ('two', 'one or two for the two nodes; in one the free space node is always '
                  'active'),
    'odom': ('odom', 'topic of the odometry, for fusion.enabled'),
}


def generate_launch_description():
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value=default, description=description)
          for name, (default, description) in ARGUMENTS.items()),
        OpaqueFunction(function=executable),
        SetRemap('odom', LaunchConfiguration('odom')),
        IncludeLaunchDescription(PythonLaunchDescriptionSource(str(SEGMENT))),
        OpaqueFunction(function=free_space),
    ])


def executable(context):
    """Return what has segment.launch.py start the one process or the first of two."""
    processes = context.launch_configurations['processes']
    if processes not in EXECUTABLES:
        raise BadInput(f'processes is {processes!r}; choose one or two')
    return [SetLaunchConfiguration('executable', EXECUTABLES[processes])]


def free_space(context):
    """Return the free space node in a process of its own, if it has one, and what starts it."""
    values = context.launch_configurations
    if values['processes'] == 'one':
        return []
    node = LifecycleNode(
        package='enet_ros', executable='freespace_node', name='freespace_node',
        namespace=values['namespace'], output='screen', parameters=[values['params_file']],
        remappings=[(name, f'segmentation_node/{name}') for name in INPUTS])
    return bring_up(node, IfCondition(values['autostart']))
