"""Messages of several topics that belong together by their stamps."""

KEPT = 8  # stamps that may wait; far more than are ever on their way


class StampPairs:
    """Puts together the messages of one stamp, one of each topic.

    `lost(messages, overtaken)` is called with each {topic: message} that is given up: overtaken
    by one that came later and is whole, or too old.
    """

    def __init__(self, topics, lost):
        self.topics, self.lost = frozenset(topics), lost
        self._waiting = {}  # {stamp: {topic: message}} in the order in which the first came

    def add(self, topic, message):
        """Add a message; return {topic: message} of its stamp if that is whole now, else None."""
        stamp = message.header.stamp.sec, message.header.stamp.nanosec
        messages = self._waiting.setdefault(stamp, {})
        messages[topic] = message
        if messages.keys() == self.topics:
            while (oldest := next(iter(self._waiting))) != stamp:
                self.lost(self._waiting.pop(oldest), True)
            return self._waiting.pop(stamp)
        while len(self._waiting) > KEPT:
            self.lost(self._waiting.pop(next(iter(self._waiting))), False)
        return None
