"""The interface of image sources."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enet_ros.synthetic.pinhole_camera import PinholeCamera


@dataclass(frozen=True)
class SourceFrame:
    """One frame of a source.

    name: stem of the file, or the number of the frame with leading zeros.
    image: uint8 (H, W, 3) RGB.
    truth: ground truth, uint8 (H, W) class ids with UNLABELED for void; None without labels.
    depth: exact depth, float32 (H, W) meters along the optical axis, infinity for the sky; None if
        it is unknown or `Source.with_depth` is false.
    """

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8] | None = None
    depth: NDArray[np.float32] | None = None


class Source(ABC):
    """Frames in order; each iteration starts at the first one.

    If a frame cannot be read, next() raises BadInput, and the same iterator continues with the
    frame after it.

    length: number of frames, or None if it is unknown. Video containers may state it wrongly.
    endless: whether the frames never end.
    live: whether frames come at their own pace, now.
    labeled: whether at least one frame has ground truth.
    camera: the calibration, if it is known.
    has_depth: whether frames can have depth. with_depth: whether the next ones shall have it.
    files: the image files, if each frame is a file.
    """

    length: int | None = None
    endless: bool = False
    live: bool = False
    labeled: bool = False
    camera: PinholeCamera | None = None
    has_depth: bool = False
    with_depth: bool = False
    files: Sequence[Path] = ()

    @abstractmethod
    def __iter__(self) -> Iterator[SourceFrame]:
        """Return an iterator that starts at the first frame."""

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open
        """Release files and devices that the source holds open."""


def frame_name(number: int) -> str:
    """Return the name of a frame that is not a file: its number, from 0, with leading zeros."""
    return f'{number:06d}'
