"""The topics that the nodes publish for each frame: one table for each node.

To add a topic, write the function that makes its message and add an entry to the table.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Generic, TypeVar

import numpy as np
from nav_msgs.msg import OccupancyGrid
from numpy.typing import NDArray
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan, PointCloud2
from std_msgs.msg import Header

from enet_ros.config import OverlayConfig
from enet_ros.errors import BadInput
from enet_ros.freespace.estimator import FreeSpaceEstimate
from enet_ros.images.encodings import DecodedImage
from enet_ros.images.postprocess import Painter, scale_labels
from enet_ros.label_space.groups import Groups
from enet_ros.labels import LabelSet, topic_name
from enet_ros.msg import FrameTiming
from enet_ros.ros import messages, qos
from enet_ros.ros.convert import array_to_image, array_to_jpeg, scale_camera_info
from enet_ros.ros.frames import FrameReport
from enet_ros.ros.geometry import Geometry
from enet_ros.ros.messages import ScanGeometry
from enet_ros.timing import StageTimer

ResultT = TypeVar('ResultT')


@dataclass(frozen=True)
class Output(Generic[ResultT]):
    """A topic and how its message is made.

    make: returns the message of a result, or None if there is none for this frame.
    encoding: of images.
    for_people: made and published after the outputs that machines wait for.
    needs_confidence: the network's confidence is computed if this topic has subscribers.
    """

    message_type: type
    make: Callable[[ResultT], object]
    qos: QoSProfile = field(default_factory=lambda: qos.RESULT)
    encoding: str = ''
    for_people: bool = False
    needs_confidence: bool = False


# Outputs of the segmentation node.


@dataclass(frozen=True)
class SegmentedFrame:
    """A camera image and its labels. Pictures are drawn when the first output needs them.

    header: of the image. labels: uint8 (H, W) class ids at the size of the outputs.
    confidence: uint8 (h, w), 255 x probability at the network's output size, or None if it was
    not computed. camera_info: of the image, or None.
    """

    header: Header
    image: DecodedImage
    labels: NDArray[np.uint8]
    confidence: NDArray[np.uint8] | None
    camera_info: CameraInfo | None
    overlay_config: OverlayConfig
    painter: Painter
    timer: StageTimer

    @property
    def size(self) -> tuple[int, int]:
        """The width and height of the outputs in pixels."""
        height, width = self.labels.shape
        return width, height

    @cached_property
    def color(self) -> NDArray[np.uint8]:
        """The labels in the colors of their classes, (H, W, 3) BGR."""
        return self.painter.color(self.labels)

    @cached_property
    def overlay(self) -> NDArray[np.uint8]:
        """The image under the colors of the classes, (H, W, 3) BGR."""
        return self.painter.overlay(self.image.image, self.image.order, self.color,
                                    self.overlay_config.alpha)


def image_output(encoding: str, draw: Callable[[SegmentedFrame], NDArray[np.integer]],
                 for_people: bool = False,
                 needs_confidence: bool = False) -> Output[SegmentedFrame]:
    """Return the Output that publishes as an Image what `draw` returns.

    draw: returns uint8 (H, W) or (H, W, 3), or int16 (H, W) for 16SC1; its time counts as
        postprocessing.
    """
    def make(frame: SegmentedFrame) -> Image:
        with frame.timer.stage('postprocessing'):
            pixels = draw(frame)
        return array_to_image(pixels, encoding, frame.header)

    return Output(Image, make, encoding=encoding, for_people=for_people,
                  needs_confidence=needs_confidence)


def label(frame: SegmentedFrame) -> NDArray[np.integer]:
    return frame.painter.label(frame.labels)


def confidence(frame: SegmentedFrame) -> NDArray[np.uint8]:
    assert frame.confidence is not None  # the table says needs_confidence
    return scale_labels(frame.confidence, *frame.size)


def mask(frame: SegmentedFrame, class_ids: Sequence[int]) -> NDArray[np.uint8]:
    return frame.painter.mask(frame.labels, class_ids)


def camera_info(frame: SegmentedFrame) -> CameraInfo | None:
    if frame.camera_info is None:
        return None
    info = scale_camera_info(frame.camera_info, *frame.size)
    info.header = frame.header
    return info


def color(frame: SegmentedFrame) -> NDArray[np.uint8]:
    return frame.color


def overlay(frame: SegmentedFrame) -> NDArray[np.uint8]:
    return frame.overlay


def compressed_overlay(frame: SegmentedFrame) -> CompressedImage:
    with frame.timer.stage('postprocessing'):
        pixels = frame.overlay
    return array_to_jpeg(pixels, frame.overlay_config.jpeg_quality, frame.header)


def segmentation_outputs(masks: Mapping[str, Sequence[int]],
                         label_encoding: str = 'mono8') -> dict[str, Output[SegmentedFrame]]:
    """Return {topic: Output} of the segmentation node, in the order of publication.

    masks: {topic name: ids of its classes}.
    """
    return {
        'label': image_output(label_encoding, label),
        'confidence': image_output('mono8', confidence, needs_confidence=True),
        **{f'mask/{name}': image_output('mono8', partial(mask, class_ids=class_ids))
           for name, class_ids in masks.items()},
        'camera_info': Output(CameraInfo, camera_info),
        'color': image_output('bgr8', color, for_people=True),
        'overlay': image_output('bgr8', overlay, for_people=True),
        'overlay/compressed': Output(CompressedImage, compressed_overlay, for_people=True),
    }


def mask_topics(labels: LabelSet, names: Sequence[str],
                groups: Groups | None = None) -> dict[str, tuple[int, ...]]:
    """Return {topic name: class ids} of the masks of classes and groups; raise BadInput.

    names: of the classes; empty for all. A class and a group may share a topic if both have the
    same mask.
    """
    masks: dict[str, tuple[int, ...]] = {}
    name_of: dict[str, str] = {}
    for name in names or labels.names:
        class_id = labels.id_of(name)
        topic = labels.classes[class_id].topic_name
        _check_topic(topic, f'output.classes: {name!r}',
                     "leave it out, or rename it in the model's label set")
        if topic in masks:
            raise BadInput(f'output.classes: {name!r} and {name_of[topic]!r} would both be '
                           f'published as mask/{topic}; leave one out')
        masks[topic], name_of[topic] = (class_id,), name
    group_topics: set[str] = set()
    for name, class_ids in (groups.class_ids(labels) if groups else {}).items():
        topic = topic_name(name)
        _check_topic(topic, f'output.groups: {name!r}', 'rename it')
        if topic in group_topics or set(masks.get(topic, class_ids)) != set(class_ids):
            raise BadInput(f'output.groups: {name!r} and {name_of[topic]!r} would both be '
                           f'published as mask/{topic}, but differ; rename the group')
        group_topics.add(topic)
        masks[topic], name_of[topic] = class_ids, name
    return masks


def _check_topic(topic: str, what: str, remedy: str) -> None:
    if not re.match('[a-z]', topic):
        raise BadInput(f'{what} would be published as mask/{topic}, but topic names begin with a '
                       f'letter from a to z; {remedy}')


# Reports of the segmentation node: published for dropped frames too.


@dataclass(frozen=True)
class TimedFrame:
    """A finished frame of the segmentation node.

    dropped: images of this camera dropped since activation.
    network_size: width and height in pixels.
    """

    report: FrameReport
    dropped: int
    engine: str
    network_size: tuple[int, int]


def timing(timed: TimedFrame) -> FrameTiming:
    report, frame = timed.report, timed.report.frame
    budget = frame.config.latency.budget_ms
    return FrameTiming(
        header=frame.message.header, age_on_arrival_ms=frame.age_ms,
        **{f'{stage}_ms': milliseconds for stage, milliseconds in report.stages.items()},
        total_ms=report.total, age_ms=report.age, budget_ms=budget,
        within_budget=not report.drop_reason and (not budget or report.age <= budget),
        drop_reason=report.drop_reason, dropped=timed.dropped, engine=timed.engine,
        network_width=timed.network_size[0], network_height=timed.network_size[1])


REPORTS: dict[str, Output[TimedFrame]] = {'timing': Output(FrameTiming, timing)}


# Outputs of the free space node.


@dataclass(frozen=True)
class FreeSpaceFrame:
    """The free space in a label image.

    header: the stamp of the image, in the base frame. fused_grid: int8 (rows, columns), or None
    if grids are not fused or the odometry of this frame is missing.
    """

    header: Header
    geometry: Geometry
    view: FreeSpaceEstimate
    is_fused: bool
    fused_grid: NDArray[np.int8] | None


def grid(frame: FreeSpaceFrame) -> OccupancyGrid | None:
    values = frame.fused_grid if frame.is_fused else frame.view.grid
    if values is None:
        return None
    return messages.occupancy_grid(values, frame.geometry.space.grid, frame.header)


def scan(frame: FreeSpaceFrame) -> LaserScan:
    return messages.laser_scan(frame.view.scan, frame.geometry.space.scan, frame.header)


def points(frame: FreeSpaceFrame) -> PointCloud2:
    return messages.contact_cloud(frame.view.points, frame.header)


def ground_points(frame: FreeSpaceFrame) -> PointCloud2:
    if frame.geometry.space.config.ground.points == 'visible':
        cloud = messages.ground_cloud(frame.view.ground_points)
    else:
        cloud = frame.geometry.static_ground_cloud
    cloud.header = frame.header
    return cloud


FREE_SPACE_OUTPUTS: dict[str, Output[FreeSpaceFrame]] = {
    'grid': Output(OccupancyGrid, grid, qos.LATCHED),
    'scan': Output(LaserScan, scan),
    'points': Output(PointCloud2, points),
    'ground_points': Output(PointCloud2, ground_points),
}


# Outputs of the semantic cloud node.


@dataclass(frozen=True)
class CloudFrame:
    """The points of a depth image. What nobody subscribes to is None.

    header: of the depth image. base_header: its stamp, in the base frame.
    points: (H, W) of POINT in the optical frame. obstacles: (N,) of POINT in the base frame.
    scan: the geometry of the scan and its ranges, float32 (M,) meters.
    """

    header: Header
    base_header: Header
    has_confidence: bool
    points: NDArray[np.void] | None
    obstacles: NDArray[np.void] | None
    scan: tuple[ScanGeometry, NDArray[np.float32]] | None


def cloud_points(frame: CloudFrame) -> PointCloud2 | None:
    if frame.points is None:
        return None
    return messages.semantic_cloud(frame.points, frame.header, frame.has_confidence)


def cloud_obstacles(frame: CloudFrame) -> PointCloud2 | None:
    if frame.obstacles is None:
        return None
    return messages.semantic_cloud(frame.obstacles, frame.base_header, frame.has_confidence)


def cloud_scan(frame: CloudFrame) -> LaserScan | None:
    if frame.scan is None:
        return None
    geometry, ranges = frame.scan
    return messages.laser_scan(ranges, geometry, frame.base_header)


CLOUD_OUTPUTS: dict[str, Output[CloudFrame]] = {
    'scan': Output(LaserScan, cloud_scan),
    'obstacles': Output(PointCloud2, cloud_obstacles),
    'points': Output(PointCloud2, cloud_points),
}
