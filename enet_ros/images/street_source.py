"""Frames of the synthetic street."""

from collections.abc import Iterator
from itertools import count

from enet_ros.images.source import Source, SourceFrame, frame_name
from enet_ros.labels import CAMVID, LabelSet
from enet_ros.synthetic.street import SyntheticStreet


class StreetSource(Source):
    """An endless drive through a synthetic street, with ground truth for CamVid's classes."""

    endless = True
    has_depth = True

    def __init__(self, label_set: LabelSet, width: int, height: int, seed: int) -> None:
        self.street = SyntheticStreet(width, height, seed=seed)
        self.camera = self.street.camera
        self.labeled = label_set.names == CAMVID.names

    def __iter__(self) -> Iterator[SourceFrame]:
        return map(self._render, count())

    def _render(self, number: int) -> SourceFrame:
        frame = self.street.render(number, self.with_depth)
        return SourceFrame(frame_name(number), frame.image,
                           frame.labels if self.labeled else None, frame.depth)
