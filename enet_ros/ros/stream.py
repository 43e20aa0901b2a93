"""One camera of a node: its topics, and the statistics of its frames."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from std_msgs.msg import Header

from enet_ros.latency.admission import AdmissionControl
from enet_ros.latency.clocks import FrameAges
from enet_ros.ros import qos
from enet_ros.ros.messages import message_type_name, seconds
from enet_ros.ros.outputs import Output
from enet_ros.ros.stream_statistics import StreamStatistics

ResultT = TypeVar('ResultT')
CLOCK_REMEDY = 'synchronize the clocks of camera and node, or set use_sim_time'
SIMULATED_CLOCK_REMEDY = ('use_sim_time is true, so publish the clock of the images on /clock, as '
                          'ros2 bag play --clock does')


class Stream(Generic[ResultT]):
    """Receives the messages of a camera and publishes the outputs of its frames.

    name: part of all topics; '' for the one camera without a name.
    clock: seconds that never go back, in which ages are measured.
    item: what a frame is called in messages to the user, such as 'image'.
    outputs: the topics made from the result of a frame.
    other_topics: further topics to advertise.
    """

    def __init__(self, node: LifecycleNode, name: str, clock: Callable[[], float], item: str,
                 outputs: Mapping[str, Output[ResultT]],
                 other_topics: Mapping[str, Output] | None = None) -> None:
        self.node, self.name, self.clock, self.item = node, name, clock, item
        self.outputs = outputs
        self.input_topic = ''  # full name of the topic of the items
        self.statistics = StreamStatistics()
        self.admission = AdmissionControl(clock)
        self.qos_mismatches = qos.MismatchMonitor(node)
        self._prefix = f'{name}/' if name else ''
        simulated = node.get_parameter('use_sim_time').value
        self._ages = FrameAges(
            lambda text: node.get_logger().warning(f'{self._prefix}{item}: {text}'),
            SIMULATED_CLOCK_REMEDY if simulated else CLOCK_REMEDY)
        self._subscriptions: list[Subscription] = []
        self._publishers: dict[str, LifecyclePublisher] = {}
        try:
            for topic, output in {**outputs, **(other_topics or {})}.items():
                self._publishers[topic] = self.qos_mismatches.create_publisher(
                    output.message_type, f'~/{self._prefix}{topic}', output.qos)
        except Exception:
            self.destroy()
            raise

    @property
    def input_type(self) -> str:
        """The name of the message type of the items."""
        return next(message_type_name(subscription.msg_type)
                    for subscription in self._subscriptions
                    if subscription.topic_name == self.input_topic)

    def stop_receiving(self) -> None:
        """Destroy the subscriptions."""
        for subscription in self._subscriptions:
            self.node.destroy_subscription(subscription)
        self._subscriptions = []

    def destroy(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers.values():
            self.node.destroy_lifecycle_publisher(publisher)

    def subscribed_topics(self) -> set[str]:
        """Return the topics that have subscribers."""
        return {topic for topic, publisher in self._publishers.items()
                if publisher.get_subscription_count()}

    def needs_confidence(self, topics: set[str]) -> bool:
        """Return whether an output in `topics` shows the network's confidence."""
        return any(output.needs_confidence for topic, output in self.outputs.items()
                   if topic in topics)

    def make_messages(self, result: ResultT, topics: set[str],
                      for_people: bool) -> dict[str, object]:
        """Return the messages of those outputs in `topics` that are for people, or of the others.

        An output without a message for this frame is left out.
        """
        messages = {topic: output.make(result) for topic, output in self.outputs.items()
                    if topic in topics and output.for_people == for_people}
        return {topic: message for topic, message in messages.items() if message is not None}

    def publish(self, messages: Mapping[str, object]) -> None:
        """Publish messages by topic, in their order."""
        for topic, message in messages.items():
            self._publishers[topic].publish(message)

    def _subscribe(self, message_type: type, topic: str, callback: Callable[..., None],
                   profile: QoSProfile = qos.CAMERA) -> str:
        """Subscribe to a topic until `stop_receiving`; return the topic's full name."""
        subscription = self.qos_mismatches.create_subscription(
            message_type, topic, callback, profile)
        self._subscriptions.append(subscription)
        return subscription.topic_name

    def _age_on_arrival(self, header: Header) -> float:
        """Return the age in milliseconds of a frame that was received just now, by its stamp."""
        matched = not self._ages.mismatch
        age = self._ages.on_arrival(seconds(header.stamp),
                                    1e-9 * self.node.get_clock().now().nanoseconds)
        self.statistics.warn('clock', self._ages.mismatch)
        if matched and self._ages.mismatch:  # which may end before the next report
            self.statistics.failed(self._ages.mismatch)
        return age
