"""The label images of a camera, with the messages that belong to them."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, Image

from enet_ros.freespace.config import FreeSpaceNodeConfig
from enet_ros.msg import LabelMap
from enet_ros.ros import qos
from enet_ros.ros.frames import LabelFrame
from enet_ros.ros.outputs import FREE_SPACE_OUTPUTS, FreeSpaceFrame
from enet_ros.ros.stamp_synchronizer import Stamped, StampSynchronizer
from enet_ros.ros.stream import Stream

INPUTS = 'label', 'confidence', 'camera_info', 'label_map'

ResultT = TypeVar('ResultT')


class Synchronizer(Protocol):
    """Groups messages of several topics, as StampSynchronizer does."""

    @property
    def topics(self) -> frozenset[str]: ...

    def add(self, topic: str, message: Stamped) -> dict[str, Stamped] | None: ...


class SynchronizedStream(Stream[ResultT]):
    """Receives label images with the messages that belong to them.

    Attributes:
        match: which messages belong to the label images, for messages to the user.
        remedies: {topic: what to do if its messages are missing}, if not the segmentation node's.
    """

    match = 'with the stamps of the label images'
    remedies: Mapping[str, str] = {}

    @abstractmethod
    def _receive_group(self, messages: Mapping[str, Stamped], age: float,
                       label_map: LabelMap) -> None:
        """Handle a label image, of an age in milliseconds, and what belongs to it, by topic."""

    def _start(self, types: Mapping[str, type], synchronizer: Synchronizer) -> None:
        """Subscribe to the topics of a synchronizer, of some types, and to the label map."""
        self._label_map: LabelMap | None = None
        self.statistics.restart()
        self._synchronizer = synchronizer
        self._topics = {'label_map': self._subscribe(LabelMap, 'label_map',
                                                     self._receive_label_map, qos.LATCHED)}
        for topic, message_type in types.items():
            self._topics[topic] = self._subscribe(message_type, topic, self._receiver(topic))
        self.input_topic = self._topics['label']

    def _receive_label_map(self, message: LabelMap) -> None:
        self._label_map = message

    def _receiver(self, topic: str) -> Callable[[Stamped], None]:
        """Return the callback of a topic that is synchronized by stamps."""
        def receive(message: Stamped) -> None:
            if topic == 'label':
                self.statistics.received()
            if messages := self._synchronizer.add(topic, message):
                self._receive_complete(messages)
        return receive

    def _receive_complete(self, messages: Mapping[str, Stamped]) -> None:
        self.statistics.warn('incomplete')
        self.statistics.warn('label_map', '' if self._label_map else self._missing('label_map'))
        age = self._age_on_arrival(messages['label'].header)
        if self._label_map is None:
            self.statistics.dropped('without label_map')
        else:
            self._receive_group(messages, age, self._label_map)

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
        remedy = self.remedies.get(topic, "remap the topic to the segmentation node's")
        if not self.node.count_publishers(name):
            return f'no {topic}: nobody publishes on {name}; {remedy}'
        if topic == 'label_map':
            return (f'no label_map was received on {name}; check that its publisher is transient '
                    'local')
        return f'no {topic} {self.match} is received on {name}; {remedy}'


class LabelStream(SynchronizedStream[FreeSpaceFrame]):
    """Receives label images with the messages of the same stamp, and publishes free space.

    read_config: returns the current parameters.
    on_frame: called in the executor's thread with this stream and each complete frame.
    """

    def __init__(self, node: LifecycleNode, clock: Callable[[], float],
                 read_config: Callable[[], FreeSpaceNodeConfig],
                 on_frame: Callable[['LabelStream', LabelFrame], None]) -> None:
        super().__init__(node, '', clock, 'label image', FREE_SPACE_OUTPUTS)
        self._read_config, self._on_frame = read_config, on_frame

    def start_receiving(self, with_confidence: bool) -> None:
        """Subscribe to the label images and what belongs to them."""
        types: dict[str, type] = {'label': Image, 'camera_info': CameraInfo}
        if with_confidence:
            types['confidence'] = Image
        self._start(types, StampSynchronizer(types, self._report_incomplete))

    def _receive_group(self, messages: Mapping[str, Stamped], age: float,
                       label_map: LabelMap) -> None:
        self._on_frame(self, LabelFrame(
            messages['label'], self._read_config(), self.clock(), age, messages['camera_info'],
            messages.get('confidence'), label_map))
