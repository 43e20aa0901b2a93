"""Score and draw the free space of synthetic streets, whose ground truth is known."""

import argparse
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.evaluation.freespace_score import (
    CONFIG,
    EXPLANATION,
    FIRST_SEED,
    GroundTruth,
    Trial,
    make_estimator,
    run_trials,
    table,
)
from enet_ros.freespace.estimator import FreeSpaceEstimate, FreeSpaceEstimator
from enet_ros.freespace.pitch_check import WINDOW, PitchMonitor
from enet_ros.images.contact_sheet import contact_sheet, write_sheet
from enet_ros.images.postprocess import colorize
from enet_ros.labels import CAMVID
from enet_ros.paths import OutputFolder
from enet_ros.segmenter import Segmenter
from enet_ros.synthetic.street import StreetFrame, SyntheticStreet

SIZE = 640, 360
SAMPLES = 3      # frames in the picture
CELL = 4         # pixels of a grid cell in the picture
TRUTH, RAY, CONTACT = (0, 90, 255), (150, 190, 150), (200, 0, 0)
ONE_DEGREE = float(np.radians(1.0))


def draw_grid(estimate: FreeSpaceEstimate, truth: GroundTruth) -> NDArray[np.uint8]:
    """Draw a grid from above with the outline of the ground that is truly free and visible.

    Return uint8 (H, W, 3) RGB, forward being up: free cells are light, occupied ones dark, unknown
    ones gray.
    """
    gray = np.full(estimate.grid.shape, 170, np.uint8)
    gray[estimate.grid == 0], gray[estimate.grid == 100] = 245, 60
    picture = cv2.cvtColor(_enlarge(gray), cv2.COLOR_GRAY2RGB)
    free = _enlarge(((truth.cells == 0) & truth.visible).astype(np.uint8))
    outlines, _ = cv2.findContours(free, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(picture, outlines, -1, TRUTH, 2)


def draw_scan(estimate: FreeSpaceEstimate, estimator: FreeSpaceEstimator,
              truth: GroundTruth) -> NDArray[np.uint8]:
    """Draw a scan from above: its rays, their contacts, and the true contacts.

    Return uint8 (H, W, 3) RGB, forward being up.
    """
    rows, columns = estimator.grid.shape
    picture = np.full((columns * CELL, rows * CELL, 3), 255, np.uint8)
    origin = _pixels(estimator, np.zeros((1, 2)))[0]
    ends = np.where(np.isinf(estimate.scan), estimator.scan.range_max, estimate.scan)
    for range_, hit, bearing in zip(ends, np.isfinite(estimate.scan), estimator.scan.bearings):
        if np.isnan(range_):
            continue
        end = _pixels(estimator, range_ * np.array([[np.cos(bearing), np.sin(bearing)]]))[0]
        cv2.line(picture, origin.tolist(), end.tolist(), RAY, 1)
        if hit:
            cv2.circle(picture, end.tolist(), 3, CONTACT, -1)
    known = np.isfinite(truth.ranges)
    bearings = estimator.scan.bearings[known]
    true_contacts = truth.ranges[known, None] * np.c_[np.cos(bearings), np.sin(bearings)]
    for point in _pixels(estimator, true_contacts).tolist():
        cv2.circle(picture, point, 1, TRUTH, -1)
    return picture


def _enlarge(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return cells (rows along y, columns along x) as a picture: forward is up, left is left."""
    return cv2.resize(np.ascontiguousarray(cells[::-1, ::-1].T), None, fx=CELL, fy=CELL,
                      interpolation=cv2.INTER_NEAREST)


def _pixels(estimator: FreeSpaceEstimator, xy: NDArray[np.float64]) -> NDArray[np.int_]:
    """Return the pixels (N, 2) of points in the base frame (N, 2) in such a picture."""
    rows, columns = estimator.grid.shape
    cells = (xy - estimator.grid.origin) / estimator.grid.resolution
    return (CELL * np.c_[rows - cells[:, 1], columns - cells[:, 0]]).astype(int)


def sample_row(frame: StreetFrame, truth: GroundTruth,
               trial: Trial) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return the captions and pictures of one frame."""
    labels = trial.labels_of(frame)
    estimate = trial.estimator(labels)
    return [('camera', frame.image), ('predicted classes', colorize(labels, CAMVID.palette())),
            ('grid from above; blue: true free space', draw_grid(estimate, truth)),
            ('scan; red: contacts, blue: true contacts',
             draw_scan(estimate, trial.estimator, truth))]


def pitch_warning(pitch_error: float) -> str:
    """Return the warning after one drive with an error of the pitch, rad."""
    street = SyntheticStreet(*SIZE, FIRST_SEED)
    estimator, monitor = make_estimator(street, pitch_error), PitchMonitor()
    for index in range(0, 5 * WINDOW, 5):
        monitor.add(estimator(street.render(index).labels).pitch_error)
    return monitor.warning(estimator.ground.pose.pitch) or 'none'


def run(options: argparse.Namespace) -> None:
    """Print the scores and write the picture."""
    folder = OutputFolder(options.out)
    segmenter = Segmenter.load(options.model, output_size=SIZE)
    predicted = Trial(segmenter=segmenter)
    trials = {'exact labels': Trial(), "the network's labels": predicted,
              '  pitch 1 degree too large': Trial(ONE_DEGREE),
              '  pitch 1 degree too small': Trial(-ONE_DEGREE)}
    rows = []
    count = options.streets * options.frames
    sampled = {count * (2 * sample + 1) // (2 * SAMPLES) for sample in range(SAMPLES)}
    frames = run_trials(list(trials.values()), options.streets, options.frames, *SIZE)
    for number, (frame, truth) in enumerate(frames):
        if number in sampled:
            rows.append(sample_row(frame, truth, predicted))
        if sys.stdout.isatty():
            print(f'\r{number + 1} of {count} frames', end='\r', flush=True)
    print(f'{count} frames of {SIZE[0]}x{SIZE[1]}, cells of {CONFIG.grid.resolution:g} m')
    print(EXPLANATION)
    print(*table({name: trial.score for name, trial in trials.items()}), sep='\n')
    exact = trials['exact labels'].score.mean_error
    for name, error in (('too large', ONE_DEGREE), ('too small', -ONE_DEGREE)):
        wrong = trials[f'  pitch 1 degree {name}'].score.mean_error
        print(f'pitch 1 degree {name}: the mean error of ranges grows from {100 * exact:.1f} % to '
              f'{100 * wrong:.1f} %; warning: {pitch_warning(error)}')
    path = folder.path / 'freespace.png'
    write_sheet(path, contact_sheet('enet_ros: free space', rows, CAMVID, width=1760))
    print(f'picture   {path}')


def main() -> int:
    parser = argparse.ArgumentParser(prog='demo_freespace', description=__doc__)
    parser.add_argument('--streets', type=int, default=25,
                        help='number of streets (default 25)')
    parser.add_argument('--frames', type=int, default=4,
                        help='number of frames of each street (default 4)')
    parser.add_argument('--model', default='enet_camvid',
                        help='name of a shipped model, or a .safetensors or .onnx file')
    parser.add_argument('--out', default='demo_output',
                        help='folder for the picture (default demo_output)')
    cv2.setNumThreads(1)
    try:
        run(parser.parse_args())
    except BadInput as error:
        print(f'demo_freespace: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
