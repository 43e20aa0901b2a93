"""Messages, parameters and launch arguments: what needs ROS, but no other node."""

import runpy
from array import array
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import rclpy
from builtin_interfaces.msg import Time
from enet_ros.msg import ClassInfo, LabelMap
from fuzz_geometry import SIZE, Odometry
from nav_msgs.msg import Odometry as OdometryMessage
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, RegionOfInterest
from std_msgs.msg import ColorRGBA

from enet_ros.config import ReplayConfig, SegmentationConfig
from enet_ros.errors import BadInput
from enet_ros.freespace.camera import Calibration, Camera
from enet_ros.freespace.config import FreeSpaceNodeConfig
from enet_ros.freespace.surface_classes import SurfaceClasses
from enet_ros.images.encodings import RawImage
from enet_ros.pointcloud.config import SemanticCloudConfig
from enet_ros.ros.convert import (
    compressed_to_array,
    image_to_array,
    image_to_depth,
    image_to_plane,
    scale_camera_info,
)
from enet_ros.ros.messages import calibration, label_set, seconds
from enet_ros.ros.odometry import OdometryTrack
from enet_ros.ros.outputs import mask_topics
from enet_ros.ros.parameter_names import leaf_fields
from enet_ros.ros.parameters import Parameters

LAUNCH = Path(__file__).parents[2] / 'launch'
LAUNCH_FILES = 'segment.launch.py', 'freespace.launch.py', 'semantic_cloud.launch.py'
NODE_CONFIGS: dict[str, type] = {
    'segmentation_node': SegmentationConfig, 'freespace_node': FreeSpaceNodeConfig,
    'semantic_cloud_node': SemanticCloudConfig, 'replay_node': ReplayConfig}


def image_message(sample: tuple[RawImage, int]) -> object:
    raw, white_level = sample
    message = Image(height=raw.height, width=raw.width, encoding=raw.encoding, step=raw.step,
                    is_bigendian=int(raw.is_bigendian), data=array('B', raw.data))
    results: list[object] = []
    errors: list[BadInput] = []
    for convert in (lambda: image_to_array(message, white_level).rgb(),
                    lambda: image_to_plane(message), lambda: image_to_depth(message)):
        try:
            results.append(convert())
        except BadInput as error:
            errors.append(error)
    if not results:
        raise errors[0]
    return results


def compressed_message(sample: tuple[bytes, str, int]) -> object:
    data, image_format, white_level = sample
    message = CompressedImage(format=image_format, data=array('B', data))
    return compressed_to_array(message, white_level).rgb()


def camera_info(sample: tuple[Calibration, int, int]) -> object:
    camera, width, height = sample
    x, y, roi_width, roi_height = camera.roi
    message = CameraInfo(
        width=camera.width, height=camera.height, distortion_model=camera.distortion_model,
        d=list(camera.d), k=camera.k, r=camera.r, p=camera.p, binning_x=camera.binning[0],
        binning_y=camera.binning[1],
        roi=RegionOfInterest(x_offset=x, y_offset=y, width=roi_width, height=roi_height))
    scaled = scale_camera_info(message, width, height)
    return Camera(calibration(scaled), *SIZE, rectified=False).rays()


def label_map(sample: tuple[str, int, list[tuple[int, str, tuple[float, float, float], bool]]]
              ) -> object:
    model, unlabelled, classes = sample
    message = LabelMap(model=model, unlabelled_id=unlabelled, classes=[
        ClassInfo(id=class_id, name=name, drivable=drivable,
                  color=ColorRGBA(r=color[0], g=color[1], b=color[2], a=1.0))
        for class_id, name, color, drivable in classes])
    labels = label_set(message)
    return SurfaceClasses(labels).surfaces, mask_topics(labels, ()), labels.palette()


def odometry_messages(sample: tuple[list[Odometry], int, float, str]) -> object:
    poses, at, max_gap, child = sample
    node = cast(Any, SimpleNamespace(create_subscription=lambda *_: None))
    track = OdometryTrack(node, 'base_link')
    for second, x, y, rotation in poses:
        message = OdometryMessage(child_frame_id=child)
        message.header.stamp = Time(sec=second, nanosec=0)
        position, orientation = message.pose.pose.position, message.pose.pose.orientation
        position.x, position.y = x, y
        orientation.x, orientation.y, orientation.z, orientation.w = rotation
        track._receive(message)
    stamp = Time(sec=at, nanosec=2**32 - 1)
    return track.at(stamp, max_gap), seconds(stamp)


@cache
def _parameters(name: str) -> tuple[Node, Parameters[Any]]:
    if not rclpy.ok():
        rclpy.init(args=[])
    node = Node(name, start_parameter_services=False, enable_rosout=False)
    return node, Parameters(node, NODE_CONFIGS[name])


def run_time_parameters(sample: tuple[str, Mapping[str, object]]) -> object:
    """Change parameters together; raise BadInput with the reason if they are refused."""
    name, values = sample
    node, parameters = _parameters(name)
    defaults, before = _defaults(name), parameters.read()
    changes = [Parameter(each, value=value) for each, value in values.items()]
    result = node.set_parameters_atomically(changes)
    if not result.successful:
        assert parameters.read() == before
        raise BadInput(result.reason)
    config = parameters.read()
    node.set_parameters_atomically([Parameter(each, value=value)
                                    for each, value in defaults.items()])
    return config


@cache
def _defaults(name: str) -> dict[str, object]:
    node, _ = _parameters(name)
    return {each: node.get_parameter(each).value for each, _ in leaf_fields(NODE_CONFIGS[name])}


def launch_arguments(sample: tuple[str, Mapping[str, str]]) -> object:
    """Find out what a launch file would start."""
    from launch import LaunchContext
    name, values = sample
    module = runpy.run_path(str(LAUNCH / name))
    context = LaunchContext()
    context.launch_configurations.update(
        {argument: default for argument, (default, _) in module['ARGUMENTS'].items()})
    context.launch_configurations.update(values)
    return module['start'](context)
