"""The label images of a camera, with the messages that belong to them."""

from collections.abc import Callable, Mapping

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, Image

from enet_ros.freespace.config import FreeSpaceNodeConfig
from enet_ros.msg import LabelMap
from enet_ros.ros import qos
from enet_ros.ros.frames import LabelFrame
from enet_ros.ros.outputs import FREE_SPACE_OUTPUTS, FreeSpaceFrame
from enet_ros.ros.stamp_synchronizer import StampSynchronizer
from enet_ros.ros.stream import Stream

INPUTS = 'label', 'confidence', 'camera_info', 'label_map'


class LabelStream(Stream[FreeSpaceFrame]):
    """Receives label images with the messages of the same stamp, and publishes free space.

    read_config: returns the current parameters.
    on_frame: called in the executor's thread with this stream and each complete frame.
    """

    def __init__(self, node: LifecycleNode, clock: Callable[[], float],
                 read_config: Callable[[], FreeSpaceNodeConfig],
                 on_frame: Callable[['LabelStream', LabelFrame], None]) -> None:
        super().__init__(node, '', clock, 'label image', FREE_SPACE_OUTPUTS)
        self._read_config, self._on_frame = read_config, on_frame
        self._label_map: LabelMap | None = None

    def start_receiving(self, with_confidence: bool) -> None:
        """Subscribe to the label images and what belongs to them."""
        self._label_map = None
        self.statistics.restart()
        types = {'label': Image, 'camera_info': CameraInfo}
        if with_confidence:
            types['confidence'] = Image
        self._synchronizer = StampSynchronizer(types, self._report_incomplete)
        self._topics = {'label_map': self._subscribe(LabelMap, 'label_map',
                                                     self._receive_label_map, qos.LATCHED)}
        for topic, message_type in types.items():
            self._topics[topic] = self._subscribe(message_type, topic, self._receiver(topic))
        self.input_topic = self._topics['label']

    def _receive_label_map(self, message: LabelMap) -> None:
        self._label_map = message

    def _receiver(self, topic: str) -> Callable[[Image | CameraInfo], None]:
        """Return the callback of a topic that is synchronized by stamps."""
        def receive(message: Image | CameraInfo) -> None:
            if topic == 'label':
                self.statistics.received()
            if messages := self._synchronizer.add(topic, message):
                self._receive_complete(**messages)
        return receive

    def _receive_complete(self, label: Image, camera_info: CameraInfo,
                          confidence: Image | None = None) -> None:
        self.statistics.warn('incomplete')
        self.statistics.warn('label_map', '' if self._label_map else self._missing('label_map'))
        age = self._age_on_arrival(label.header)
        if self._label_map is None:
            self.statistics.dropped('without label_map')
        else:
            self._on_frame(self, LabelFrame(label, self._read_config(), self.clock(), age,
                                            camera_info, confidence, self._label_map))

    def _report_incomplete(self, messages: Mapping[str, object], overtaken: bool) -> None:
        if 'label' not in messages:
            return
        missing = sorted(self._synchronizer.topics - messages.keys())
        self.statistics.dropped(f'without {" and ".join(missing)}')
        if not overtaken:
            self.statistics.warn('incomplete', '; '.join(map(self._missing, missing)))

    def _missing(self, topic: str) -> str:
        """Return why label images are not used although they are received."""
        name = self._topics[topic]
        if not self.node.count_publishers(name):
            return (f'no {topic}: nobody publishes on {name}; remap the topic to the '
                    "segmentation node's")
        if topic == 'label_map':
            return (f'no label_map was received on {name}; check that its publisher is transient '
                    'local')
        return (f'no {topic} with the stamps of the label images is received on {name}; remap '
                "the topic to the segmentation node's")
