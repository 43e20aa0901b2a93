"""The latched topics that tell late subscribers what the ids in label images mean."""

from enet_ros.msg import LabelMap
from enet_ros.ros import qos
from enet_ros.ros.label_messages import label_info, label_info_type, label_map


class LabelTopics:
    """Publishes ~/label_map, and ~/label_info where vision_msgs is installed."""

    def __init__(self, node):
        self.node = node
        self._announced = None
        types = {'label_map': LabelMap, 'label_info': label_info_type()}
        self._publishers = {
            topic: node.create_lifecycle_publisher(kind, f'~/{topic}', qos.LATCHED)
            for topic, kind in types.items() if kind}

    def announce(self, labels, model, threshold):
        """Publish what holds from now on, unless it was said before."""
        if self._announced == (labels, model, threshold):
            return
        self._announced = labels, model, threshold
        stamp = self.node.get_clock().now().to_msg()
        self._publishers['label_map'].publish(label_map(labels, model, stamp))
        if 'label_info' in self._publishers:
            self._publishers['label_info'].publish(label_info(labels, threshold, stamp))

    def destroy(self):
        for publisher in self._publishers.values():
            self.node.destroy_lifecycle_publisher(publisher)
