"""A camera whose images are segmented."""

from collections.abc import Callable, Mapping

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from enet_ros.config import SegmentationConfig
from enet_ros.errors import BadInput
from enet_ros.ros.convert import compressed_to_array, image_to_array
from enet_ros.ros.frames import CameraFrame
from enet_ros.ros.messages import calibration
from enet_ros.ros.outputs import REPORTS, Output, SegmentedFrame
from enet_ros.ros.stream import Stream

ASPECT_TOLERANCE = 0.01


class CameraStream(Stream[SegmentedFrame]):
    """Receives the images of a camera and publishes the outputs of the segmentation node.

    outputs: the topics made from a segmented image.
    read_config: returns the current parameters.
    on_frame: called in the executor's thread with this stream and each image.
    """

    def __init__(self, node: LifecycleNode, name: str,
                 outputs: Mapping[str, Output[SegmentedFrame]], clock: Callable[[], float],
                 read_config: Callable[[], SegmentationConfig],
                 on_frame: Callable[['CameraStream', CameraFrame], None]) -> None:
        super().__init__(node, name, clock, 'image', outputs, REPORTS)
        self._read_config, self._on_frame = read_config, on_frame
        self._camera_info: CameraInfo | None = None

    def start_receiving(self, transport: str) -> None:
        """Subscribe to the images, 'raw' or 'compressed', and to their camera_info."""
        self._camera_info = None
        self.statistics.restart()
        message_type, topic, self.decode = Image, f'{self._prefix}image', image_to_array
        if transport == 'compressed':
            message_type, self.decode = CompressedImage, compressed_to_array
            # Next to the raw images, wherever those are remapped to.
            topic = f'{self.node.resolve_topic_name(topic)}/compressed'
        self._subscribe(CameraInfo, f'{self._prefix}camera_info', self._receive_camera_info)
        self.input_topic = self._subscribe(message_type, topic, self._receive_image)

    def camera_info_for(self, width: int, height: int) -> CameraInfo | None:
        """Return the newest CameraInfo, or None if there is none or it does not fit the images.

        A mismatch becomes a warning in the diagnostics.
        """
        info = self._camera_info
        mismatch = camera_info_mismatch(info, width, height) if info else ''
        self.statistics.warn('camera_info', mismatch)
        return None if mismatch else info

    def _receive_camera_info(self, message: CameraInfo) -> None:
        self._camera_info = message

    def _receive_image(self, message: Image | CompressedImage) -> None:
        self.statistics.received()
        age = self._age_on_arrival(message.header)
        self._on_frame(self, CameraFrame(message, self._read_config(), self.clock(), age))


def camera_info_mismatch(info: CameraInfo, width: int, height: int) -> str:
    """Return why a CameraInfo does not fit images of a size in pixels, or ''."""
    try:
        *_, info_width, info_height = calibration(info).region()
    except BadInput as error:
        return str(error)
    info_width //= max(info.binning_x, 1)
    info_height //= max(info.binning_y, 1)
    if abs(info_width * height - info_height * width) > ASPECT_TOLERANCE * info_height * width:
        return (f'camera_info is for images of {info_width}x{info_height} pixels, but the images '
                f'have {width}x{height}, another aspect ratio; calibrate the camera at the size '
                'that it sends')
    return ''
