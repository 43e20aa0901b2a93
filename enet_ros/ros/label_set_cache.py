"""The label set of the newest label map."""

from enet_ros.labels import LabelSet
from enet_ros.msg import LabelMap
from enet_ros.ros.messages import label_set


class LabelSetCache:
    """Converts each LabelMap message once."""

    def __init__(self) -> None:
        self._message: LabelMap | None = None
        self._labels: LabelSet | None = None

    def __call__(self, message: LabelMap) -> LabelSet:
        """Return the LabelSet of a LabelMap message; raise BadInput."""
        if self._labels is None or message is not self._message:
            self._labels = None
            self._labels = label_set(message)
            self._message = message
        return self._labels
