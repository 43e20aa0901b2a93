"""Qualities of service, and reports of those on which two endpoints do not agree."""

from collections.abc import Callable
from typing import Protocol

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
    qos_policy_name_from_kind,
)
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import (
        PublisherEventCallbacks,
        SubscriptionEventCallbacks,
        UnsupportedEventTypeError,
    )
except ImportError:  # Humble
    from rclpy.qos_event import (
        PublisherEventCallbacks,
        SubscriptionEventCallbacks,
        UnsupportedEventTypeError,
    )

CAMERA = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
RESULT = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                     durability=DurabilityPolicy.TRANSIENT_LOCAL)


class IncompatibleQosEvent(Protocol):
    """rclpy's event of an incompatible endpoint."""

    last_policy_kind: int


class MismatchMonitor:
    """Creates a node's publishers and subscriptions, and reports QoS mismatches with others."""

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._mismatches: dict[str, Callable[[], bool]] = {}  # {text: whether it persists}

    def create_publisher(self, message_type: type, topic: str,
                         profile: QoSProfile) -> LifecyclePublisher:
        """Create a lifecycle publisher; report subscribers that cannot receive its messages."""
        name = self._node.resolve_topic_name(topic)

        def persists() -> bool:
            return any(_incompatible(profile, info.qos_profile)
                       for info in self._node.get_subscriptions_info_by_topic(name))

        callbacks = PublisherEventCallbacks(incompatible_qos=lambda event: self._report(
            f'a subscriber of {name} requests another {_policy(event)} than the node offers and '
            'receives nothing; change its QoS', persists))
        try:
            return self._node.create_lifecycle_publisher(message_type, topic, profile,
                                                         event_callbacks=callbacks)
        except UnsupportedEventTypeError:  # by this middleware
            return self._node.create_lifecycle_publisher(message_type, topic, profile)

    def create_subscription(self, message_type: type, topic: str, callback: Callable[..., None],
                            profile: QoSProfile) -> Subscription:
        """Create a subscription; report publishers whose messages it cannot receive."""
        name = self._node.resolve_topic_name(topic)

        def persists() -> bool:
            return any(_incompatible(info.qos_profile, profile)
                       for info in self._node.get_publishers_info_by_topic(name))

        callbacks = SubscriptionEventCallbacks(incompatible_qos=lambda event: self._report(
            f'a publisher of {name} offers another {_policy(event)} than the node requests, '
            'which receives nothing of it; change its QoS', persists))
        try:
            return self._node.create_subscription(message_type, topic, callback, profile,
                                                  event_callbacks=callbacks)
        except UnsupportedEventTypeError:  # by this middleware
            return self._node.create_subscription(message_type, topic, callback, profile)

    def warnings(self) -> list[str]:
        """Return the mismatches that persist, one line each."""
        self._mismatches = {text: persists for text, persists in self._mismatches.items()
                            if persists()}
        return list(self._mismatches)

    def _report(self, text: str, persists: Callable[[], bool]) -> None:
        self._mismatches[text] = persists
        self._node.get_logger().warning(text)


def _policy(event: IncompatibleQosEvent) -> str:
    return qos_policy_name_from_kind(event.last_policy_kind).lower()


def _incompatible(offered: QoSProfile, requested: QoSProfile) -> bool:
    return qos_check_compatible(offered, requested)[0] == QoSCompatibility.ERROR
