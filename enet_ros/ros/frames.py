"""A frame on its way through a node: as it was received, and what became of it."""

from dataclasses import dataclass, field
from typing import Protocol

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from enet_ros.config import AgeConfig, SegmentationConfig
from enet_ros.freespace.config import FreeSpaceNodeConfig
from enet_ros.msg import LabelMap
from enet_ros.pointcloud.config import SemanticCloudConfig


class HasLatency(Protocol):
    """The part of a node's config that says how old results may be."""

    @property
    def latency(self) -> AgeConfig: ...


@dataclass(frozen=True)
class ReceivedFrame:
    """An image message and the parameters at the time it was received.

    received_at: seconds of the node's age clock. age_ms: age on arrival by the image's stamp;
    negative if the camera's clock is ahead.
    """

    message: Image | CompressedImage
    config: HasLatency
    received_at: float
    age_ms: float

    def age_at(self, now: float) -> float:
        """Return the age in milliseconds at a time of the clock of `received_at`."""
        return max(self.age_ms, 0.0) + 1e3 * (now - self.received_at)


@dataclass(frozen=True)
class CameraFrame(ReceivedFrame):
    """An image of a camera."""

    config: SegmentationConfig


@dataclass(frozen=True)
class LabelFrame(ReceivedFrame):
    """A label image with the messages of the same stamp, and the newest label map.

    confidence is None if the node does not subscribe to it.
    """

    config: FreeSpaceNodeConfig
    camera_info: CameraInfo
    confidence: Image | None
    label_map: LabelMap


@dataclass(frozen=True)
class DepthFrame(ReceivedFrame):
    """A label image with the depth image and the other messages nearest to it in time.

    confidence is None if the node does not subscribe to it.
    """

    config: SemanticCloudConfig
    depth: Image
    camera_info: CameraInfo
    confidence: Image | None
    label_map: LabelMap


@dataclass
class FrameReport:
    """What became of a frame that somebody subscribes to. Times in milliseconds.

    age: when the results were ready to be published, or when the frame was dropped.
    age_at_start: when the worker took the frame; None if it was dropped on arrival.
    work: from then until the results were ready; 0 if it was dropped before.
    stages: duration of each stage that was reached, in real time.
    clock_rate: milliseconds of the node's clock per real millisecond; not 1 in a simulation.
    """

    frame: ReceivedFrame
    drop_reason: str = ''
    age: float = 0.0
    total: float = 0.0
    age_at_start: float | None = None
    work: float = 0.0
    clock_rate: float = 1.0
    stages: dict[str, float] = field(default_factory=dict)
