"""Groups of messages with the same stamp, or with stamps that are close to each other."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from std_msgs.msg import Header

MAX_WAITING = 8  # stamps; far more than are ever on their way
MAX_KEPT = 30    # messages of a topic; those of a second, for slow networks


class Stamped(Protocol):
    """A message with a header."""

    header: Header


class StampSynchronizer:
    """Groups messages of the same stamp, one of each topic.

    on_incomplete: called with {topic: message} of a stamp that is given up, and whether a later
    stamp was completed first; otherwise too many stamps were waiting.
    """

    def __init__(self, topics: Iterable[str],
                 on_incomplete: Callable[[dict[str, Stamped], bool], None]) -> None:
        self.topics = frozenset(topics)
        self._on_incomplete = on_incomplete
        # {stamp: {topic: message}} in the order of the first message.
        self._waiting: dict[tuple[int, int], dict[str, Stamped]] = {}

    def add(self, topic: str, message: Stamped) -> dict[str, Stamped] | None:
        """Add a message; return {topic: message} of its stamp if that is now complete."""
        stamp = message.header.stamp.sec, message.header.stamp.nanosec
        messages = self._waiting.setdefault(stamp, {})
        messages[topic] = message
        if messages.keys() == self.topics:
            while (oldest := next(iter(self._waiting))) != stamp:
                self._on_incomplete(self._waiting.pop(oldest), True)
            return self._waiting.pop(stamp)
        while len(self._waiting) > MAX_WAITING:
            self._on_incomplete(self._waiting.pop(next(iter(self._waiting))), False)
        return None


class NearestStampSynchronizer:
    """Groups each message of one topic with the messages of others that have the nearest stamps.

    A group is complete as soon as there is a message of every topic that is near enough.

    reference: the topic whose messages form the groups, each message at most one.
    max_difference_ms: largest time between the stamps of the reference and of another message; 0
        accepts equal stamps only.
    on_incomplete: as of StampSynchronizer.
    """

    def __init__(self, reference: str, others: Iterable[str], max_difference_ms: float,
                 on_incomplete: Callable[[dict[str, Stamped], bool], None]) -> None:
        self._reference, self._on_incomplete = reference, on_incomplete
        self._max_difference = round(1e6 * max_difference_ms)  # nanoseconds
        # (stamp in nanoseconds, message), in the order of arrival
        self._waiting: deque[tuple[int, Stamped]] = deque()
        self._kept: dict[str, deque[tuple[int, Stamped]]] = {
            topic: deque(maxlen=MAX_KEPT) for topic in others}
        self.topics = frozenset([reference, *self._kept])

    def add(self, topic: str, message: Stamped) -> dict[str, Stamped] | None:
        """Add a message; return {topic: message} of a group if one is complete now.

        If several are, it is the newest one.
        """
        queue = self._waiting if topic == self._reference else self._kept[topic]
        queue.append((_nanoseconds(message), message))
        for position in reversed(range(len(self._waiting))):
            group = self._group(*self._waiting[position])
            if group.keys() == self.topics:
                for _ in range(position):
                    self._on_incomplete(self._group(*self._waiting.popleft()), True)
                self._waiting.popleft()
                return group
        while len(self._waiting) > MAX_WAITING:
            self._on_incomplete(self._group(*self._waiting.popleft()), False)
        return None

    def _group(self, stamp: int, reference: Stamped) -> dict[str, Stamped]:
        """Return {topic: message} of the messages that are near enough to a reference."""
        group = {self._reference: reference}
        for topic, kept in self._kept.items():
            difference, message = min(
                ((abs(each - stamp), message) for each, message in kept),
                key=lambda pair: pair[0], default=(self._max_difference + 1, None))
            if message is not None and difference <= self._max_difference:
                group[topic] = message
        return group


def _nanoseconds(message: Stamped) -> int:
    """Return the stamp of a message in nanoseconds."""
    return message.header.stamp.sec * 10 ** 9 + message.header.stamp.nanosec
