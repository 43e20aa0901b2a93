"""Qualities of service, and what to do where two sides cannot agree on them."""

from rclpy.qos import (
    DurabilityPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_policy_name_from_kind,
)

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


def create_watched_publisher(node, kind, topic, qos, warn):
    """Return a managed node's publisher; `warn` gets what subscribers miss."""
    return _watched(node, node.create_lifecycle_publisher, PublisherEventCallbacks, kind, topic,
                    qos, warn=lambda name, policy: warn(
                        f'a subscriber of {name} asks for another {policy} than the node offers '
                        'and receives nothing; change its QoS'))


def create_watched_subscription(node, kind, topic, callback, qos, warn):
    """Return a node's subscription; `warn` gets what it misses."""
    return _watched(node, node.create_subscription, SubscriptionEventCallbacks, kind, topic,
                    callback, qos, warn=lambda name, policy: warn(
                        f'a publisher of {name} offers another {policy} than the node asks for, '
                        'which receives nothing of it; change its QoS'))


def _watched(node, create, callbacks, kind, topic, *rest, warn):
    name = node.resolve_topic_name(topic)

    def incompatible(event):
        warn(name, qos_policy_name_from_kind(event.last_policy_kind).lower())

    try:
        return create(kind, topic, *rest, event_callbacks=callbacks(incompatible_qos=incompatible))
    except UnsupportedEventTypeError:  # a middleware that does not tell
        return create(kind, topic, *rest)
