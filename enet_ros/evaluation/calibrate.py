"""Fit the temperature of a model's confidence on labeled frames: `enet calibrate`."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from enet_ros.data.frames import Dataset, ResizedFrames
from enet_ros.evaluation.confidence_counts import BINS, ConfidenceCounts
from enet_ros.evaluation.confidence_figure import confidence_figure
from enet_ros.evaluation.confusion_figure import require_matplotlib
from enet_ros.evaluation.evaluate import Evaluation, require_same_classes
from enet_ros.evaluation.logits import logits_of
from enet_ros.evaluation.png import png
from enet_ros.evaluation.temperature import fit_temperature
from enet_ros.json_data import json_text
from enet_ros.models import checkpoint
from enet_ros.models.loading import AnyNetwork, AnySpec
from enet_ros.models.onnx_spec import OnnxSpec, sidecar, write_onnx_spec
from enet_ros.paths import OutputFolder
from enet_ros.segmenter import Segmenter

THRESHOLDS = 0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99
LEAST_COVERAGE = 0.95  # of the threshold that is recommended


@dataclass(frozen=True)
class Calibration:
    """A fitted temperature, and the published confidence before and with it on the same frames.

    segmenter is the Segmenter before.
    """

    temperature: float
    segmenter: Segmenter
    before: ConfidenceCounts
    after: ConfidenceCounts


def calibrate(network: AnyNetwork, spec: AnySpec, dataset: Dataset, split: str,
              segmenter: Segmenter) -> Calibration:
    """Fit the temperature on a split of a Dataset, and measure the confidence on it.

    The temperature is fitted to logits in float32 at the size of the network. Confidence is what
    the engine returns, in 255 steps and at the size of the ground truth.

    segmenter: runs the network with the spec.

    Raise BadInput if the data set lacks the split or the model's classes, if a file cannot be
    used, or if no temperature fits.
    """
    require_same_classes(spec.labels, dataset.labels)
    frames = dataset.splits[split]
    frames.check(progress=True)
    temperature = fit_temperature(logits_of(network, spec), ResizedFrames(frames, segmenter.size),
                                  spec.temperature)
    # The settings that were selected for the first engine, so that none is measured again.
    calibrated = Segmenter(network, replace(spec, temperature=temperature), *segmenter.size,
                           **asdict(segmenter.config))
    before, after = Evaluation(segmenter), Evaluation(calibrated)
    for index in tqdm(range(len(frames)), 'measure', unit='frame', disable=None):
        image, truth = frames[index]
        before.add(image, truth)
        after.add(image, truth)
    return Calibration(temperature, segmenter, before.confidence, after.confidence)


def write_calibrated(path: str | os.PathLike[str], out: Path, spec: AnySpec,
                     calibration: Calibration, data: str) -> str:
    """Write a model with the fitted temperature, and return what was written, in words.

    Of a checkpoint it is a copy, with a record of the calibration in its metrics. Of an ONNX
    network it is the YAML file. Raise BadInput if `out` cannot be written.

    path: the model. data: the frames that the temperature was fitted on, in words.
    """
    spec = replace(spec, temperature=calibration.temperature)
    if isinstance(spec, OnnxSpec):
        write_onnx_spec(out, spec)
        return f'{out}: description of {path} with this temperature; replace {sidecar(Path(path))}'
    record = {'data': data, **_errors(calibration)}
    checkpoint.copy_with_spec(path, out, replace(
        spec, metrics={**spec.metrics, 'calibration': record}))
    return f'{out}: {path} with this temperature'


def _errors(calibration: Calibration) -> dict[str, float]:
    return {'expected_calibration_error_before': calibration.before.expected_calibration_error(),
            'expected_calibration_error_after': calibration.after.expected_calibration_error()}


def summary(calibration: Calibration) -> str:
    """Return the temperature, the errors before and after it, and the thresholds as text."""
    errors = _errors(calibration)
    return '\n'.join([
        f'temperature {calibration.temperature:.4f}',
        f'expected calibration error {errors["expected_calibration_error_before"]:.4f} before, '
        f'{errors["expected_calibration_error_after"]:.4f} after ({BINS} bins)',
        '', *threshold_table(calibration.after), '', recommendation(calibration.after)])


def threshold_table(counts: ConfidenceCounts) -> list[str]:
    """Return what output.confidence_threshold does at some thresholds, as lines of text."""
    lines = [f'{"confidence_threshold":20}  {"pixels with a label":>19}  {"wrong among them":>16}']
    rows = zip(THRESHOLDS, counts.coverage(THRESHOLDS), counts.error(THRESHOLDS))
    return lines + [f'{threshold:20}  {100 * coverage:17.2f} %  ' + (
        f'{"-":>16}' if np.isnan(error) else f'{100 * error:14.2f} %')
        for threshold, coverage, error in rows]


def recommendation(counts: ConfidenceCounts) -> str:
    """Return the largest threshold that keeps the label of LEAST_COVERAGE of the pixels."""
    thresholds = np.arange(100) / 100
    index = np.flatnonzero(counts.coverage(thresholds) >= LEAST_COVERAGE)[-1]
    coverage, error, without = (100 * float(values) for values in (
        counts.coverage(thresholds)[index], counts.error(thresholds)[index], counts.error(0)))
    return (f'output.confidence_threshold: {thresholds[index]:.2f} keeps the labels of '
            f'{coverage:.1f} % of the pixels; {error:.2f} % of them are wrong, and {without:.2f} '
            '% without a threshold')


class CalibrationFolder(OutputFolder):
    """The folder that a calibration is written to.

    out: path as the user wrote it. Raise BadInput if the folder cannot be created or if
    matplotlib is missing.
    """

    def __init__(self, out: str | os.PathLike[str]) -> None:
        require_matplotlib()
        super().__init__(out, '--report')

    def write(self, calibration: Calibration, facts: Mapping[str, object]) -> None:
        """Write calibration.json and confidence.png.

        facts is plain data that calibration.json repeats; its entries `model`, `data` and `split`
        are in the title of the figure.
        """
        counts = {'before': calibration.before, 'after': calibration.after}
        figure = confidence_figure(
            f'{facts["model"]} on {facts["data"]} {facts["split"]}, temperature '
            f'{calibration.temperature:.3f}', counts)
        report = {**facts, 'temperature': calibration.temperature, **_errors(calibration),
                  'thresholds': THRESHOLDS,
                  'coverage': calibration.after.coverage(THRESHOLDS).tolist(),
                  'error': calibration.after.error(THRESHOLDS).tolist(),
                  'confidence': {name: each.counts.tolist() for name, each in counts.items()}}
        self.write_bytes('confidence.png', png(figure, bbox_inches='tight'))
        self.write_text('calibration.json', json_text(report, indent=1) + '\n')
