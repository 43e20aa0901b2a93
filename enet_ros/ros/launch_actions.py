"""Actions that the launch files share."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
)
from launch import Action, LaunchContext
from launch.actions import DeclareLaunchArgument, LogInfo, SetEnvironmentVariable
from launch.conditions import IfCondition, InvalidConditionExpressionError
from launch.substitutions import EnvironmentVariable
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

from enet_ros.errors import BadInput
from enet_ros.ros.parameter_file import Value, read_parameter_file
from enet_ros.ros.street_camera import StreetCamera

CONFIG = Path(get_package_share_directory('enet_ros')) / 'config'
# Arguments of all launch files: {name: (default, description)}.
ARGUMENTS = {
    'image': ('image', 'topic of the camera images'),
    'camera_info': ('camera_info', "topic of the camera's calibration"),
    'source': ('', 'what to play instead of a camera: synthetic, a folder of images, a video '
                   'file, a rosbag2, or the index of a camera; empty: the camera of the robot'),
    'params_file': (str(CONFIG / 'enet.yaml'), 'YAML file with the parameters of the nodes'),
    'model': ('', 'name of a shipped model, or a .safetensors or .onnx file; empty: as in '
              'params_file'),
    'engine': ('', 'runtime of the network; empty: as in params_file'),
    'device': ('', 'where the network runs; empty: as in params_file'),
    'namespace': ('', 'namespace of all nodes'),
    'use_sim_time': ('false', 'take the time from /clock, as with a bag or a simulator; '
                     'overrides params_file'),
    'autostart': ('true', 'configure and activate the nodes'),
    'respawn': ('false', 'start a managed node again when it has ended; with autostart:=false a '
                'lifecycle manager must bring it up'),
    'rviz': ('false', 'show the outputs in RViz (package rviz2)'),
}
# Seconds; short, as the robot has no labels meanwhile, but a node that cannot start does not keep
# a processor busy.
RESPAWN_DELAY = 0.2
BOOLEANS = 'use_sim_time', 'autostart', 'respawn', 'rviz'
NAMES = 'image', 'camera_info', 'namespace', 'odom', 'depth'
# Of topics, also private ones, and of namespaces; empty: none.
NAME = r'(~?/?([A-Za-z_]\w*/)*[A-Za-z_]\w*/?)?|/'
MODEL_PARAMETERS = {'model': 'model.path', 'engine': 'model.engine', 'device': 'model.device'}


def declare(arguments: dict[str, tuple[str, str]]) -> list[DeclareLaunchArgument]:
    """Return the actions that declare launch arguments {name: (default, description)}."""
    return [DeclareLaunchArgument(name, default_value=default, description=description)
            for name, (default, description) in arguments.items()]


def check_arguments(context: LaunchContext) -> None:
    """Raise BadInput if an argument is invalid, or the parameter file or RViz is missing."""
    values = context.launch_configurations
    for argument in BOOLEANS:
        is_true(context, argument)
    for argument in NAMES:
        if argument in values and not re.fullmatch(NAME, values[argument]):
            raise BadInput(f'{argument} is {values[argument]!r}; names in ROS consist of letters, '
                           'digits and underscores, separated by /')
    # launch_ros itself ignores a missing file.
    read_parameter_file(values['params_file'], 'segmentation_node')
    if is_true(context, 'rviz'):
        try:
            get_package_prefix('rviz2')
        except PackageNotFoundError as error:
            distro = os.environ.get('ROS_DISTRO', '<distro>')
            raise BadInput('rviz:=true needs the package rviz2, which is not installed; install '
                           f'ros-{distro}-rviz2, or leave the argument out') from error


def start_source(context: LaunchContext) -> list[Action]:
    """Return the replay node, if there is a source to play instead of a camera."""
    values = context.launch_configurations
    if not values['source']:
        return []
    parameters = {'source': _text(values['source']), **simulated_time(context)}
    return [Node(
        package='enet_ros', executable='replay_node', name='replay_node',
        namespace=values['namespace'], output='screen',
        parameters=[values['params_file'], parameters])]


def start_segmentation(context: LaunchContext, executable: str = 'segmentation_node',
                       extra_files: Iterable[str] = (),
                       remappings: Iterable[tuple[str, str]] = ()) -> LifecycleNode:
    """Return the segmentation node.

    Args:
        executable: program that runs the node.
        extra_files: parameter files that override params_file.
        remappings: topics besides those of the camera.
    """
    values = context.launch_configurations
    # An empty argument must not reach the node.
    model = {parameter: _text(values[argument])
             for argument, parameter in MODEL_PARAMETERS.items() if values[argument]}
    inputs = ('image', 'camera_info')
    topics = ([(name, f'replay_node/{name}') for name in inputs] if values['source'] else
              [(name, values[name]) for name in inputs])
    return LifecycleNode(
        package='enet_ros', executable=executable, name='segmentation_node',
        namespace=values['namespace'], output='screen',
        parameters=[values['params_file'], {**model, **managed(context)}, *extra_files],
        remappings=[*topics, *remappings], **respawn(context))


def start_rviz(context: LaunchContext) -> list[Action]:
    """Return RViz, if it is requested."""
    values = context.launch_configurations
    if not is_true(context, 'rviz'):
        return []
    image = 'replay_node/image' if values['source'] else values['image']
    return [Node(
        package='rviz2', executable='rviz2', name='rviz2', namespace=values['namespace'],
        arguments=['-d', values['rviz_config']], parameters=[simulated_time(context)],
        remappings=[('image', image)])]


def show_camera(context: LaunchContext, camera: StreetCamera, node: str) -> list[Action]:
    """Return what logs the pose of the simulated camera and, with RViz, publishes it to TF."""
    log = LogInfo(msg=f'source synthetic: {node} uses the pose of its camera, {camera}')
    if not is_true(context, 'rviz'):
        return [log]
    return [log, Node(
        package='tf2_ros', executable='static_transform_publisher', name='street_camera',
        namespace=context.launch_configurations['namespace'],
        arguments=camera.transform_arguments(), parameters=[simulated_time(context)])]


def enlarge_shared_memory() -> Action:
    """Return the action that gives Fast DDS the shipped profile, unless the user has set one."""
    before_kilted = os.environ.get('ROS_DISTRO') in ('humble', 'iron', 'jazzy')
    variable = f'FAST{"RTPS" if before_kilted else "DDS"}_DEFAULT_PROFILES_FILE'
    return SetEnvironmentVariable(
        variable, EnvironmentVariable(variable, default_value=str(CONFIG / 'fastdds.xml')))


def simulated_time(context: LaunchContext) -> dict[str, Value]:
    """Return the parameter that the launch argument use_sim_time sets in all nodes."""
    return {'use_sim_time': is_true(context, 'use_sim_time')}


def managed(context: LaunchContext) -> dict[str, Value]:
    """Return the parameters that launch arguments set in all managed nodes."""
    return {**simulated_time(context), 'autostart': is_true(context, 'autostart')}


def respawn(context: LaunchContext) -> dict[str, bool | float]:
    """Return the options of a managed node that the launch argument respawn sets."""
    return {'respawn': is_true(context, 'respawn'), 'respawn_delay': RESPAWN_DELAY}


def is_true(context: LaunchContext, argument: str) -> bool:
    """Return whether a launch argument is true; raise BadInput if it is neither true nor false."""
    try:
        return IfCondition(context.launch_configurations[argument]).evaluate(context)
    except InvalidConditionExpressionError as error:
        raise BadInput(f'{argument} is {context.launch_configurations[argument]!r}; it must be '
                       'true or false') from error


def _text(value: str) -> ParameterValue:
    """Return a parameter value that stays a string even if it looks like a number."""
    return ParameterValue(value, value_type=str)
