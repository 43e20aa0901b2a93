"""Scores of free space against the ground truth of synthetic streets not used in training."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from enet_ros.freespace.camera import Calibration
from enet_ros.freespace.config import FreeSpaceConfig, ScanConfig
from enet_ros.freespace.estimator import FreeSpaceEstimator
from enet_ros.freespace.pose import Pose
from enet_ros.segmenter import Segmenter
from enet_ros.synthetic.pinhole_camera import PinholeCamera
from enet_ros.synthetic.street import StreetFrame, SyntheticStreet
from enet_ros.synthetic.truth import StreetTruth

FIRST_SEED = 5_000_000
FRAME_STEP = 40                     # frames from one that is scored to the next
MAX_RANGE, NEAR_RANGE = 15.0, 8.0   # meters
CONFIG = FreeSpaceConfig(scan=ScanConfig(range_max=MAX_RANGE + 1))
EXPLANATION = (
    f'correct: visible cells within {MAX_RANGE:g} m with the true state; unsafe: occupied cells '
    f'within {NEAR_RANGE:g} m that the grid calls free,\nof all and of those in view; rays: '
    'within 3 % or two pixels; missed: no range where there is a contact;\nmedian and mean: '
    'relative error of all other ranges; pitch error: degrees by the curbs, and frames with curbs')
HEADERS = ('correct', 'unsafe', 'in view', 'rays', 'missed', 'median', 'mean',
           '   pitch error')
NAME_WIDTH = 32  # characters


@dataclasses.dataclass
class Score:
    """Counts over frames.

    visible_cells: cells that the scene shows within MAX_RANGE; correct_cells: with the true state.
    occupied_cells: cells within NEAR_RANGE that are occupied; occupied_in_view: those inside the
        image; unsafe_cells: those of occupied_cells that the grid calls free.
    rays: bearings with a known true range; correct_rays: within the tolerance; missed_rays:
        without a range where the truth has one.
    range_errors: relative errors of the ranges, an array for each frame.
    pitch_errors: degrees, one for each frame; NaN if unknown.
    """

    visible_cells: int = 0
    correct_cells: int = 0
    occupied_cells: int = 0
    occupied_in_view: int = 0
    unsafe_cells: int = 0
    rays: int = 0
    correct_rays: int = 0
    missed_rays: int = 0
    range_errors: list[NDArray[np.float64]] = dataclasses.field(default_factory=list)
    pitch_errors: list[float] = dataclasses.field(default_factory=list)

    @property
    def mean_error(self) -> float:
        """Return the mean relative error of the ranges."""
        return float(np.concatenate(self.range_errors).mean())

    def row(self) -> str:
        """Return the values as a row of a table under HEADERS."""
        known = np.isfinite(self.pitch_errors)
        pitch = np.median(np.array(self.pitch_errors)[known]) if known.any() else np.nan
        return (f'{100 * self.correct_cells / self.visible_cells:7.2f} % '
                f'{100 * self.unsafe_cells / self.occupied_cells:7.3f} % '
                f'{100 * self.unsafe_cells / self.occupied_in_view:7.3f} % '
                f'{100 * self.correct_rays / self.rays:7.2f} % '
                f'{100 * self.missed_rays / self.rays:7.2f} % '
                f'{100 * np.median(np.concatenate(self.range_errors)):7.2f} % '
                f'{100 * self.mean_error:7.2f} % {pitch:+6.2f} in {100 * known.mean():.0f} %')


def table(scores: dict[str, Score]) -> list[str]:
    """Return the lines of a table with a row for each name and score."""
    return [f'{"":{NAME_WIDTH}}' + ' '.join(f'{name:>9}' for name in HEADERS),
            *(f'{name:{NAME_WIDTH}}{score.row()}' for name, score in scores.items())]


def calibration_of(camera: PinholeCamera) -> Calibration:
    """Return the Calibration of a street's camera."""
    projection = (camera.fx, 0, camera.cx, 0, 0, camera.fy, camera.cy, 0, 0, 0, 1, 0)
    return Calibration(camera.width, camera.height, (0,) * 9, p=projection)


def make_estimator(street: SyntheticStreet, pitch_error: float = 0.0,
                   config: FreeSpaceConfig = CONFIG) -> FreeSpaceEstimator:
    """Return the estimator for a street's camera, with an error added to the pitch, rad."""
    camera = street.camera
    pose = Pose.from_angles(0, 0, camera.height_m, 0, camera.pitch + pitch_error, 0)
    return FreeSpaceEstimator(calibration_of(camera), pose, (camera.width, camera.height),
                              street.labels, config)


@dataclasses.dataclass
class GroundTruth:
    """The true free space of a frame, for the cells and bearings of an estimator.

    cells: states (rows, columns).
    visible: cells that the scene shows within MAX_RANGE, bool.
    occupied_near: occupied cells within NEAR_RANGE, bool.
    in_view: cells inside the image, hidden or not, bool.
    ranges: (N,) meters, as StreetTruth.scan returns them.
    """

    cells: NDArray[np.int_]
    visible: NDArray[np.bool_]
    occupied_near: NDArray[np.bool_]
    in_view: NDArray[np.bool_]
    ranges: NDArray[np.float64]

    @classmethod
    def of(cls, estimator: FreeSpaceEstimator, truth: StreetTruth, index: int) -> 'GroundTruth':
        """Return the ground truth of frame `index`."""
        x, y = estimator.grid.centers()
        distance = np.hypot(x, y)
        occupied, visible = truth.cells(index, x, y, estimator.grid.resolution)
        return cls(np.where(occupied, 100, 0), visible & (distance <= MAX_RANGE),
                   occupied & (distance <= NEAR_RANGE), truth.in_view(x, y),
                   truth.scan(index, estimator.scan.bearings, estimator.scan.range_max))


def add_frame(score: Score, estimator: FreeSpaceEstimator, truth: GroundTruth,
              labels: NDArray[np.uint8]) -> None:
    """Add the free space estimated from a frame's labels to a score."""
    estimate = estimator(labels)
    score.visible_cells += truth.visible.sum()
    score.correct_cells += (estimate.grid == truth.cells)[truth.visible].sum()
    score.occupied_cells += truth.occupied_near.sum()
    score.occupied_in_view += (truth.occupied_near & truth.in_view).sum()
    score.unsafe_cells += (estimate.grid[truth.occupied_near] == 0).sum()
    # A contact just beyond MAX_RANGE may be measured just before it, and vice versa.
    known = (truth.ranges <= MAX_RANGE) | np.isinf(truth.ranges)
    measured, true = estimate.scan[known], truth.ranges[known]
    finite = np.isfinite(true)
    error = np.abs(measured[finite] - true[finite])
    tolerance = np.maximum(0.03 * true[finite],
                           2 * estimator.ground.pixel_length(true[finite]))
    score.rays += known.sum()
    score.correct_rays += (error < tolerance).sum() + np.isinf(measured[~finite]).sum()
    hit = np.isfinite(error)
    score.missed_rays += (~hit).sum()
    score.pitch_errors.append(float(np.degrees(estimate.pitch_error)))
    score.range_errors.append(error[hit] / true[finite][hit])


class Trial:
    """One way to get from frames to free space, and its score.

    pitch_error: added to the true pitch, rad.
    segmenter: predicts the labels; None uses the exact labels.
    """

    def __init__(self, pitch_error: float = 0.0, config: FreeSpaceConfig = CONFIG,
                 segmenter: Segmenter | None = None) -> None:
        self.pitch_error, self.config, self.segmenter = pitch_error, config, segmenter
        self.score = Score()
        self.estimator: FreeSpaceEstimator  # of the current street

    def start(self, street: SyntheticStreet) -> None:
        """Prepare for the frames of a street."""
        self.estimator = make_estimator(street, self.pitch_error, self.config)

    def labels_of(self, frame: StreetFrame) -> NDArray[np.uint8]:
        """Return the labels that this trial estimates free space from, (H, W)."""
        if self.segmenter is None:
            return frame.labels
        return self.segmenter(frame.image, confidence=False).labels

    def add(self, frame: StreetFrame, truth: GroundTruth) -> None:
        """Add a frame to the score."""
        add_frame(self.score, self.estimator, truth, self.labels_of(frame))


def run_trials(trials: Sequence[Trial], streets: int, frames: int, width: int, height: int,
               first_seed: int = FIRST_SEED) -> Iterator[tuple[StreetFrame, GroundTruth]]:
    """Score all trials on the same `frames` frames of each of `streets` streets.

    Yield each frame and its ground truth after it is scored. The grids and scans of all trials
    must have the same shape.
    """
    for seed in range(first_seed, first_seed + streets):
        street = SyntheticStreet(width, height, seed)
        street_truth = StreetTruth(street)
        for trial in trials:
            trial.start(street)
        for index in range(5, 5 + FRAME_STEP * frames, FRAME_STEP):
            frame = street.render(index)
            truth = GroundTruth.of(trials[0].estimator, street_truth, index)
            for trial in trials:
                trial.add(frame, truth)
            yield frame, truth
