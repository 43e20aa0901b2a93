"""Groups of messages with the same stamp."""

from collections.abc import Callable, Iterable
from typing import Protocol

from std_msgs.msg import Header

MAX_WAITING = 8  # stamps; far more than are ever on their way


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
