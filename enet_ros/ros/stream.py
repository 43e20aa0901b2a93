"""One camera of a node: its topics, and what is known of its frames."""

from dataclasses import dataclass

from enet_ros.latency.admission import AdmissionControl
from enet_ros.latency.clocks import FrameAges
from enet_ros.ros import qos
from enet_ros.ros.camera_statistics import CameraStatistics


@dataclass(frozen=True)
class Arrival:
    """An image message and the settings when it came.

    at: seconds of the clock that ages count in; age_ms: by the image's stamp, so that it is
    negative where the camera's clock is ahead.
    """

    message: object
    config: object
    at: float
    age_ms: float

    def age(self, now):
        """Return the age in milliseconds at a time of the same clock as `at`."""
        return max(self.age_ms, 0.0) + 1e3 * (now - self.at)


class Stream:
    """Receives what belongs to a camera and publishes what is made of it.

    name becomes part of all topics; '' is the one camera without a name. item is what one waits
    for, such as image; outputs are {topic: (message type, QoS)}.
    """

    def __init__(self, node, name, clock, item, outputs):
        self.node, self.name, self.clock, self.item = node, name, clock, item
        self.topic = ''  # on which the items come
        self.statistics = CameraStatistics()
        self.admission = AdmissionControl(clock)
        self._prefix = f'{name}/' if name else ''
        self._ages = FrameAges(
            lambda text: node.get_logger().warning(f'{self._prefix}{item}: {text}'))
        self._subscriptions = []
        self._publishers = {}
        try:
            for topic, (kind, profile) in outputs.items():
                self._publishers[topic] = qos.create_watched_publisher(
                    node, kind, f'~/{self._prefix}{topic}', profile, self._warn_of_qos)
        except Exception:
            self.destroy()
            raise

    def shut(self):
        """Receive nothing more."""
        for subscription in self._subscriptions:
            self.node.destroy_subscription(subscription)
        self._subscriptions = []

    def destroy(self):
        """Undo the constructor."""
        for publisher in self._publishers.values():
            self.node.destroy_lifecycle_publisher(publisher)

    def wanted(self):
        """Return the topics that somebody subscribes to."""
        return {topic for topic, publisher in self._publishers.items()
                if publisher.get_subscription_count()}

    def publish(self, messages):
        """Publish messages by topic, in their order."""
        for topic, message in messages.items():
            self._publishers[topic].publish(message)

    def _listen(self, kind, topic, callback, profile=qos.CAMERA):
        """Subscribe to a topic until `shut`; return the topic's full name."""
        self._subscriptions.append(qos.create_watched_subscription(
            self.node, kind, topic, callback, profile, self._warn_of_qos))
        return self._subscriptions[-1].topic_name

    def _age(self, header):
        """Return the age in milliseconds, by its stamp, of something that has just come."""
        age = self._ages.on_arrival(header.stamp.sec + 1e-9 * header.stamp.nanosec,
                                    1e-9 * self.node.get_clock().now().nanoseconds)
        self.statistics.warn('clock', 'stamps are of another clock, so ages count from arrival'
                             if self._ages.clock_mismatch else '')
        return age

    def _warn_of_qos(self, text):
        self.statistics.notice(text)
        self.node.get_logger().warning(text)
