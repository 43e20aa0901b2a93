"""The latched topics that describe the label images of the segmentation node."""

from rclpy.lifecycle import LifecycleNode

from enet_ros.label_space.space import LabelSpace
from enet_ros.msg import LabelMap
from enet_ros.ros import qos
from enet_ros.ros.messages import label_info, label_info_type, label_map


class LabelMapPublisher:
    """Publishes ~/label_map, and ~/label_info if vision_msgs is installed."""

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._published: tuple[LabelSpace, str, float] | None = None
        types = {'label_map': LabelMap, 'label_info': label_info_type()}
        self._publishers = {
            topic: node.create_lifecycle_publisher(message_type, f'~/{topic}', qos.LATCHED)
            for topic, message_type in types.items() if message_type}

    def publish(self, space: LabelSpace, model: str, threshold: float) -> None:
        """Publish what label images mean, unless it was published last.

        model: name or file of the model. threshold: of the confidence.
        """
        if self._published == (space, model, threshold):
            return
        self._published = space, model, threshold
        stamp = self._node.get_clock().now().to_msg()
        self._publishers['label_map'].publish(label_map(space, model, stamp))
        if 'label_info' in self._publishers:
            self._publishers['label_info'].publish(label_info(space, threshold, stamp))

    def destroy(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
