"""Segment the frames of a source into files: what `enet segment` does."""

import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from enet_ros.errors import BadInput
from enet_ros.evaluation.evaluate import describe
from enet_ros.evaluation.metrics import ConfusionMatrix
from enet_ros.evaluation.report import summary, tables
from enet_ros.images.postprocess import colorize, overlay, scale_labels
from enet_ros.labels import LabelSet
from enet_ros.paths import OutputFolder

OVERLAY_ALPHA = 0.5


@dataclass
class SegmentReport:
    """What became of a source's frames.

    broken holds the reason for each frame that could not be read; matrix is the ConfusionMatrix
    over the `scored` frames that have labels.
    """

    out: Path
    labels: LabelSet
    matrix: ConfusionMatrix
    written: int = 0
    scored: int = 0
    broken: tuple = ()

    @property
    def exit_code(self):
        """Return 0 where every frame was segmented and there was at least one, else 1."""
        return 0 if self.written and not self.broken else 1


def segment_source(segmenter, source, out, frames=None):
    """Segment a Source into files and return a SegmentReport.

    Writes <out>/label/<name>.png (class ids, one channel), <out>/color/<name>.png and
    <out>/overlay/<name>.jpg at each image's size, over what is there. At most `frames` frames are
    taken; a source without end needs that number. A frame that cannot be read is reported on
    stderr and left out. Labels of the source must be ids of the segmenter's classes. Raise
    BadInput where `out` cannot be written.
    """
    if frames is not None and frames < 1:
        raise BadInput(f'frames is {frames}; it must be at least 1')
    if frames is None and source.endless:
        raise BadInput('this source has no end; say how many frames to take with --frames')
    folder = _ResultFolder(out, segmenter.labels.palette())
    folder.refuse_to_replace(source.files)
    report = SegmentReport(folder.path, segmenter.labels, ConfusionMatrix(len(segmenter.labels)))

    total = min(filter(None, (frames, source.length)), default=None)
    with tqdm(_outcomes(source, frames), 'segment', total, unit='frame', disable=None) as bar:
        for frame in bar:
            if isinstance(frame, BadInput):
                report.broken += (str(frame),)
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


def print_report(report):
    """Print what was written, the scores where there were labels, and what was skipped."""
    print(f'{report.written} frames segmented into {report.out} (label, color, overlay)')
    if report.scored:
        scores = describe(report.matrix, report.labels)
        print(f'on {report.scored} frames with labels: {summary(scores)}')
        print(*(f'  {line}' for line in tables(scores)), sep='\n')
    if report.broken:
        print(f'{len(report.broken)} frames could not be read and were skipped')


class _ResultFolder(OutputFolder):
    def __init__(self, out, palette):
        super().__init__(out)
        self.bgr_palette = np.ascontiguousarray(palette[:, ::-1])
        self.folders = {name: self.make(name) for name in ('label', 'color', 'overlay')}

    def refuse_to_replace(self, files):
        """Raise BadInput where the input files lie in a folder that is written to."""
        inputs = {Path(file).resolve().parent for file in files}
        for folder in self.folders.values():
            if folder.resolve() in inputs:
                raise BadInput(f'results would replace the images in {folder}; '
                               'choose another --out')

    def write(self, frame, labels):
        color = colorize(labels, self.bgr_palette)
        image = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        self._write('label', f'{frame.name}.png', labels)
        self._write('color', f'{frame.name}.png', color)
        self._write('overlay', f'{frame.name}.jpg', overlay(image, color, OVERLAY_ALPHA))

    def _write(self, folder, name, image):
        # imencode, because imwrite says nothing of why it failed.
        encoded = cv2.imencode(Path(name).suffix, image)[1]
        try:
            (self.folders[folder] / name).write_bytes(encoded)
        except OSError as error:
            raise self.not_writable(error) from error


def _outcomes(source, frames):
    """Yield the source's frames, at most `frames`, with the BadInput for each that is broken."""
    iterator = iter(source)
    for _ in range(frames) if frames else count():
        try:
            yield next(iterator)
        except StopIteration:
            return
        except BadInput as error:
            yield error
