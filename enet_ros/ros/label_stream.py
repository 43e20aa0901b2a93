"""A camera's label images, with what belongs to them, and what is made of them."""

from dataclasses import dataclass

from nav_msgs.msg import OccupancyGrid
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2

from enet_ros.msg import LabelMap
from enet_ros.ros import qos
from enet_ros.ros.stamp_pairs import StampPairs
from enet_ros.ros.stream import Arrival, Stream

OUTPUTS = {'grid': (OccupancyGrid, qos.LATCHED), 'scan': (LaserScan, qos.RESULT),
           'points': (PointCloud2, qos.RESULT), 'ground_points': (PointCloud2, qos.RESULT)}


@dataclass(frozen=True)
class LabelArrival(Arrival):
    """A label image with the camera_info and the confidence, or None, of its stamp."""

    camera_info: object
    confidence: object
    label_map: object


class LabelStream(Stream):
    """Pairs label images by their stamps, and publishes the ground that they show.

    `arrived(arrival)` is called with each LabelArrival.
    """

    def __init__(self, node, clock, arrived):
        super().__init__(node, '', clock, 'label image', OUTPUTS)
        self.arrived = arrived
        self.label_map = None

    def open(self, confidence):
        """Start to receive label images, and their confidence if it is asked for."""
        self.label_map = None
        self.statistics.restart()
        kinds = {'label': Image, 'camera_info': CameraInfo}
        if confidence:
            kinds['confidence'] = Image
        self._pairs = StampPairs(kinds, self._lost)
        self._topics = {topic: self.node.resolve_topic_name(topic)
                        for topic in (*kinds, 'label_map')}
        self.topic = self._topics['label']
        self._listen(LabelMap, 'label_map', self._keep_map, qos.LATCHED)
        for topic, kind in kinds.items():
            self._listen(kind, topic, self._keeper(topic))

    def _keep_map(self, message):
        self.label_map = message

    def _keeper(self, topic):
        def keep(message):
            if topic == 'label':
                self.statistics.received()
            messages = self._pairs.add(topic, message)
            if messages:
                self._keep(**messages)
        return keep

    def _keep(self, label, camera_info, confidence=None):
        self.statistics.warn('pairs')
        self.statistics.warn('label_map', '' if self.label_map else self._missing('label_map'))
        age = self._age(label.header)
        if self.label_map is None:
            self.statistics.dropped('without label_map')
        else:
            self.arrived(LabelArrival(label, self.node.parameters.read(), self.clock(), age,
                                      camera_info, confidence, self.label_map))

    def _lost(self, messages, overtaken):
        if 'label' not in messages:
            return
        missing = sorted(self._pairs.topics - messages.keys())
        self.statistics.dropped(f'without {" and ".join(missing)}')
        if not overtaken:
            self.statistics.warn('pairs', '; '.join(map(self._missing, missing)))

    def _missing(self, topic):
        """Return why label images are not used for what is missing."""
        name = self._topics[topic]
        if not self.node.count_publishers(name):
            return (f'no {topic}: nobody publishes on {name}; remap the topic to the '
                    "segmentation node's")
        if topic == 'label_map':
            return f'no label_map came on {name}; check that its publisher is transient local'
        return (f'no {topic} with the stamps of the label images comes on {name}; take that of '
                'the segmentation node')
