"""Start the segmentation node, configure and activate it; on request a camera and RViz too."""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import Condition, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
)
from launch.conditions import IfCondition
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

from enet_ros.errors import BadInput
from enet_ros.ros.bring_up import bring_up

CONFIG = Path(get_package_share_directory('enet_ros')) / 'config'
ARGUMENTS = {
    'image': ('image', 'topic of the camera images'),
    'camera_info': ('camera_info', "topic of the camera's calibration"),
    'params_file': (str(CONFIG / 'enet.yaml'), 'YAML file with the parameters of the nodes'),
    'model': ('', 'name of a shipped model, or a .safetensors file; empty: as in params_file'),
    'engine': ('', 'runtime of the network; empty: as in params_file'),
    'device': ('', 'where the network runs; empty: as in params_file'),
    'namespace': ('', 'namespace of all nodes'),
    'autostart': ('true', 'configure and activate the node'),
    'executable': ('segmentation_node', 'what runs the node: segmentation_node, or '
                   'segmentation_and_freespace with the free space node in the same process'),
    'rviz': ('false', 'show the images in RViz'),
    'source': ('', 'what to play in place of a camera: synthetic, a folder of images, a video '
                   'file, a rosbag2 or the index of a camera; empty: the camera of the robot'),
}
MODEL_PARAMETERS = {'model': 'model.path', 'engine': 'model.engine', 'device': 'model.device'}


def generate_launch_description():
    namespace, source = LaunchConfiguration('namespace'), LaunchConfiguration('source')
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value=default, description=description)
          for name, (default, description) in ARGUMENTS.items()),
        large_images(),
        SetLaunchConfiguration('image', 'replay_node/image', condition=given('source')),
        SetLaunchConfiguration('camera_info', 'replay_node/camera_info',
                               condition=given('source')),
        OpaqueFunction(function=segmentation),
        Node(package='enet_ros', executable='replay_node', name='replay_node',
             namespace=namespace, output='screen', condition=given('source'),
             parameters=[LaunchConfiguration('params_file'), {'source': text(source)}]),
        Node(package='rviz2', executable='rviz2', name='rviz2', namespace=namespace,
             arguments=['-d', str(CONFIG / 'segment.rviz')],
             remappings=[('image', LaunchConfiguration('image'))],
             condition=IfCondition(LaunchConfiguration('rviz'))),
    ])


def segmentation(context):
    """Return the segmentation node and what starts it.

    A function of the context, because a launch argument left empty must not reach the node.
    """
    values = context.launch_configurations
    if not Path(values['params_file']).is_file():  # launch_ros would go on without it
        raise BadInput(f'params_file {values["params_file"]!r} is not a file; leave the argument '
                       f'out for the one that comes with enet_ros')
    overrides = {parameter: text(values[argument])
                 for argument, parameter in MODEL_PARAMETERS.items() if values[argument]}
    node = LifecycleNode(
        package='enet_ros', executable=values['executable'], name='segmentation_node',
        namespace=values['namespace'], output='screen',
        parameters=[values['params_file'], *([overrides] if overrides else [])],
        remappings=[(topic, values[topic]) for topic in ('image', 'camera_info')])
    return bring_up(node, IfCondition(values['autostart']))


def given(argument):
    """Return the condition that a launch argument is not empty."""
    return Condition(predicate=lambda context: context.launch_configurations[argument] != '')


def text(value):
    """Return a parameter value that stays a text, even where it looks like a number."""
    return ParameterValue(value, value_type=str)


def large_images():
    """Return the action that gives Fast DDS its profile, unless the user has set another."""
    before_kilted = os.environ.get('ROS_DISTRO') in ('humble', 'iron', 'jazzy')
    variable = f'FAST{"RTPS" if before_kilted else "DDS"}_DEFAULT_PROFILES_FILE'
    return SetEnvironmentVariable(
        variable, EnvironmentVariable(variable, default_value=str(CONFIG / 'fastdds.xml')))
