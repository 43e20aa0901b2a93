"""Segment the frames of a source into files: `enet segment`."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from enet_ros.errors import BadInput
from enet_ros.evaluation.metrics import ConfusionMatrix
from enet_ros.evaluation.report import summary, tables
from enet_ros.evaluation.scores import Scores
from enet_ros.images.postprocess import colorize, overlay, scale_labels
from enet_ros.images.source import Source, SourceFrame
from enet_ros.labels import LabelSet
from enet_ros.paths import OutputFolder
from enet_ros.segmenter import Segmenter

OVERLAY_ALPHA = 0.5


@dataclass
class SegmentReport:
    """The result of segmenting a source.

    written counts the segmented frames, scored those of them with labels; matrix is the
    ConfusionMatrix over the scored ones. broken holds the reason for each unreadable frame.
    contents: names of the results.
    """

    out: Path
    labels: LabelSet
    matrix: ConfusionMatrix
    written: int = 0
    scored: int = 0
    broken: list[str] = field(default_factory=list)
    contents: str = 'label, color, overlay'

    @property
    def exit_code(self) -> int:
        """Return 0 if there was at least one frame and all were segmented, else 1."""
        return 0 if self.written and not self.broken else 1


def segment_source(segmenter: Segmenter, source: Source, out: str | os.PathLike[str],
                   frames: int | None = None) -> SegmentReport:
    """Segment a Source into files and return a SegmentReport.

    Write <out>/label/<name>.png (class ids, one channel), <out>/color/<name>.png and
    <out>/overlay/<name>.jpg at each image's size, replacing existing files. Stop after `frames`
    frames; an endless source needs that limit. Report an unreadable frame on stderr and skip it.
    Labels of the source must be ids of the segmenter's classes. Raise BadInput if `out` cannot
    be written.
    """
    if frames is not None and frames < 1:
        raise BadInput(f'frames is {frames}; it must be at least 1')
    if frames is None and source.endless:
        raise BadInput('this source has no end; limit the number of frames with --frames')
    folder = _ResultFolder(out, segmenter.labels.palette())
    folder.refuse_to_replace(source.files)
    report = SegmentReport(folder.path, segmenter.labels, ConfusionMatrix(len(segmenter.labels)))

    total = min(filter(None, (frames, source.length)), default=None)
    results = islice(_frames_and_errors(source), frames)
    with tqdm(results, 'segment', total, unit='frame', disable=None) as bar:
        for frame in bar:
            if isinstance(frame, BadInput):
                report.broken.append(str(frame))
                tqdm.write(f'skipped: {frame}', file=sys.stderr)
                continue
            height, width = frame.image.shape[:2]
            labels = segmenter(frame.image, confidence=False).labels
            labels = scale_labels(labels, width, height)
            folder.write(frame, labels)
            report.written += 1
            if frame.truth is not None:
                report.matrix.add(frame.truth, labels)
                report.scored += 1
    return report


def print_report(report: SegmentReport) -> None:
    """Print the number of frames written and skipped, and the scores if there were labels."""
    print(f'{report.written} frames segmented into {report.out} ({report.contents})')
    if report.scored:
        scores = Scores.of(report.matrix, report.labels)
        print(f'on {report.scored} frames with labels: {summary(scores)}')
        print(*(f'  {line}' for line in tables(scores)), sep='\n')
    if report.broken:
        print(f'{len(report.broken)} frames could not be read and were skipped')


class _ResultFolder(OutputFolder):
    """The output folder with its subfolders label, color and overlay.

    palette (256, 3) holds the RGB color of each class id.
    """

    def __init__(self, out: str | os.PathLike[str], palette: NDArray[np.uint8]) -> None:
        super().__init__(out)
        self.bgr_palette = np.ascontiguousarray(palette[:, ::-1])
        self.folders = {name: self.make(name) for name in ('label', 'color', 'overlay')}

    def refuse_to_replace(self, files: Iterable[str | os.PathLike[str]]) -> None:
        """Raise BadInput if input files are in a folder that is written to."""
        inputs = {Path(file).resolve().parent for file in files}
        for folder in self.folders.values():
            if folder.resolve() in inputs:
                raise BadInput(f'results would replace the images in {folder}; '
                               'choose another --out')

    def write(self, frame: SourceFrame, labels: NDArray[np.uint8]) -> None:
        """Write the three files of a frame; labels (H, W) have the image's size."""
        color = colorize(labels, self.bgr_palette)
        image = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        self._write('label', f'{frame.name}.png', labels)
        self._write('color', f'{frame.name}.png', color)
        self._write('overlay', f'{frame.name}.jpg', overlay(image, color, OVERLAY_ALPHA))

    def _write(self, folder: str, name: str, image: NDArray[np.uint8]) -> None:
        # imencode, because imwrite gives no reason when it fails.
        encoded = cv2.imencode(Path(name).suffix, image)[1]
        self.write_bytes(f'{folder}/{name}', encoded.tobytes())


def _frames_and_errors(source: Source) -> Iterator[SourceFrame | BadInput]:
    """Yield the source's frames, with a BadInput in place of each unreadable one."""
    frames = iter(source)
    while True:
        try:
            yield next(frames)
        except StopIteration:
            return
        except BadInput as error:
            yield error
