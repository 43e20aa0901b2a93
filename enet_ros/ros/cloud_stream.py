"""The label and depth images of a camera, with the messages that belong to them."""

from collections.abc import Callable, Mapping

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, Image

from enet_ros.msg import LabelMap
from enet_ros.pointcloud.config import CloudInputConfig, SemanticCloudConfig
from enet_ros.ros.frames import DepthFrame
from enet_ros.ros.label_stream import SynchronizedStream
from enet_ros.ros.outputs import CLOUD_OUTPUTS, CloudFrame
from enet_ros.ros.stamp_synchronizer import NearestStampSynchronizer, Stamped

INPUTS = 'label', 'confidence', 'depth', 'camera_info', 'label_map'


class CloudStream(SynchronizedStream[CloudFrame]):
    """Receives label images with the nearest depth images, and publishes labeled points.

    read_config: returns the current parameters.
    on_frame: called in the executor's thread with this stream and each complete frame.
    """

    def __init__(self, node: LifecycleNode, clock: Callable[[], float],
                 read_config: Callable[[], SemanticCloudConfig],
                 on_frame: Callable[['CloudStream', DepthFrame], None]) -> None:
        super().__init__(node, '', clock, 'label image', CLOUD_OUTPUTS)
        self._read_config, self._on_frame = read_config, on_frame

    def start_receiving(self, config: CloudInputConfig) -> None:
        """Subscribe to the label images and what belongs to them."""
        types: dict[str, type] = {'label': Image, 'depth': Image, 'camera_info': CameraInfo}
        if config.confidence:
            types['confidence'] = Image
        limit = config.max_stamp_difference_ms
        if limit:
            self.match = f'within {limit:g} ms of the label images'
        hint = "the camera's, or set input.max_stamp_difference_ms"
        self.remedies = {
            'depth': f'remap the topic to the depth that is registered to {hint}',
            'camera_info': f'remap the topic to {hint}'}
        self._start(types, NearestStampSynchronizer(
            'label', types.keys() - {'label'}, limit, self._report_incomplete))

    def _receive_group(self, messages: Mapping[str, Stamped], age: float,
                       label_map: LabelMap) -> None:
        self._on_frame(self, DepthFrame(
            messages['label'], self._read_config(), self.clock(), age, messages['depth'],
            messages['camera_info'], messages.get('confidence'), label_map))
