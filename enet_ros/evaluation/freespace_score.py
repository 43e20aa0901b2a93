"""Free space scored on synthetic streets that nothing was trained on."""

import dataclasses

import numpy as np

from enet_ros.freespace.camera import Calibration
from enet_ros.freespace.config import FreeSpaceConfig, ScanConfig
from enet_ros.freespace.freespace import FreeSpace
from enet_ros.freespace.ground import Pose
from enet_ros.synthetic.street import SyntheticStreet
from enet_ros.synthetic.truth import StreetTruth

FIRST_SEED = 5_000_000
EVERY = 40               # frames between those that count
SIGHT, NEAR = 15.0, 8.0  # metres
CONFIG = FreeSpaceConfig(scan=ScanConfig(range_max=SIGHT + 1))
EXPLANATION = (
    f'right: cells within {SIGHT:g} m that the scene shows; free: taken cells within {NEAR:g} m '
    'that are called free,\nof all and of those in view; rays: within 3 % or two pixels; missing: '
    'no contact where there is one;\nmedian and mean error of the rest; pitch error: degrees by '
    'the kerbs, where they are seen')
HEAD = 'right', 'free: all', 'in view', 'rays', 'missing', 'median', 'mean', '   pitch error'
NAME = 32  # characters


@dataclasses.dataclass
class Score:
    """Counts over frames."""

    shown: int = 0          # cells that the true scene shows within SIGHT
    right: int = 0
    taken: int = 0          # cells within NEAR where one cannot drive
    viewed: int = 0         # those of them inside the picture
    free: int = 0           # those of them that the grid calls free
    rays: int = 0           # bearings whose truth is known
    hits: int = 0
    missing: int = 0        # rays without a range where truth has one
    errors: list = dataclasses.field(default_factory=list)   # of the others, relative
    pitches: list = dataclasses.field(default_factory=list)  # errors as the kerbs tell, degrees

    @property
    def mean_error(self):
        """Return the mean relative error of the ranges that are there."""
        return np.concatenate(self.errors).mean()

    def row(self):
        """Return the line of a table under HEAD."""
        told = np.isfinite(self.pitches)
        pitch = np.median(np.array(self.pitches)[told]) if told.any() else np.nan
        return (f'{100 * self.right / self.shown:7.2f} % {100 * self.free / self.taken:7.3f} % '
                f'{100 * self.free / self.viewed:7.3f} % '
                f'{100 * self.hits / self.rays:7.2f} % {100 * self.missing / self.rays:7.2f} % '
                f'{100 * np.median(np.concatenate(self.errors)):7.2f} % '
                f'{100 * self.mean_error:7.2f} % {pitch:+6.2f} in {100 * told.mean():.0f} %')


def table(scores):
    """Return the lines of a table of {name: Score}."""
    return [f'{"":{NAME}}' + ' '.join(f'{name:>9}' for name in HEAD),
            *(f'{name:{NAME}}{score.row()}' for name, score in scores.items())]


def calibration_of(camera):
    """Return the Calibration of a street's camera."""
    projection = (camera.fx, 0, camera.cx, 0, 0, camera.fy, camera.cy, 0, 0, 0, 1, 0)
    return Calibration(camera.width, camera.height, (0,) * 9, p=projection)


def build(street, pitch_error=0.0, config=CONFIG):
    """Return the FreeSpace of a street's camera, its pitch wrong by so many rad."""
    camera = street.camera
    pose = Pose.from_angles(0, 0, camera.height_m, 0, camera.pitch + pitch_error, 0)
    return FreeSpace(calibration_of(camera), pose, (camera.width, camera.height), street.labels,
                     config)


@dataclasses.dataclass
class Answer:
    """What is true of one frame, in the order of a FreeSpace's cells and bearings."""

    cells: np.ndarray   # 0 or 100
    shown: np.ndarray   # within SIGHT
    taken: np.ndarray   # within NEAR
    viewed: np.ndarray  # inside the picture
    ranges: np.ndarray

    @classmethod
    def of(cls, free_space, truth, index):
        x, y = free_space.grid.centres()
        distance = np.hypot(x, y)
        taken, shown = truth.cells(index, x, y, free_space.grid.resolution)
        return cls(np.where(taken, 100, 0), shown & (distance <= SIGHT),
                   taken & (distance <= NEAR), truth.in_view(x, y),
                   truth.scan(index, free_space.scan.bearings, free_space.scan.range_max))


def measure(score, free_space, answer, labels):
    """Add to a Score what the labels of a frame lead to."""
    view = free_space(labels)
    score.shown += answer.shown.sum()
    score.right += (view.grid == answer.cells)[answer.shown].sum()
    score.taken += answer.taken.sum()
    score.viewed += (answer.taken & answer.viewed).sum()
    score.free += (view.grid[answer.taken] == 0).sum()
    # What is met just beyond the sight may be measured before it, and the other way round.
    known = (answer.ranges <= SIGHT) | np.isinf(answer.ranges)
    measured, true = view.scan[known], answer.ranges[known]
    finite = np.isfinite(true)
    error = np.abs(measured[finite] - true[finite])
    allowed = np.maximum(0.03 * true[finite],
                         2 * free_space.ground.pixel_length(true[finite]))
    score.rays += known.sum()
    score.hits += (error < allowed).sum() + np.isinf(measured[~finite]).sum()
    met = np.isfinite(error)
    score.missing += (~met).sum()
    score.pitches.append(np.degrees(view.pitch_error))
    score.errors.append(error[met] / true[finite][met])


class Trial:
    """One way to come from frames to free space, and its Score.

    pitch_error in rad; labels are exact, or those of a Segmenter.
    """

    def __init__(self, pitch_error=0.0, config=CONFIG, segmenter=None):
        self.pitch_error, self.config, self.segmenter = pitch_error, config, segmenter
        self.score = Score()

    def begin(self, street):
        self.space = build(street, self.pitch_error, self.config)

    def labels_of(self, frame):
        if self.segmenter is None:
            return frame.labels
        return self.segmenter(frame.image, confidence=False).labels

    def see(self, frame, answer):
        measure(self.score, self.space, answer, self.labels_of(frame))


def run_trials(trials, streets, frames, width, height, first_seed=FIRST_SEED):
    """Score every Trial on the same `frames` of each of some streets.

    Yield (StreetFrame, Answer) after each frame. All trials' grids and scans have the same shape.
    """
    for seed in range(first_seed, first_seed + streets):
        street = SyntheticStreet(width, height, seed)
        truth = StreetTruth(street)
        for trial in trials:
            trial.begin(street)
        for index in range(5, 5 + EVERY * frames, EVERY):
            frame = street.render(index)
            answer = Answer.of(trials[0].space, truth, index)
            for trial in trials:
                trial.see(frame, answer)
            yield frame, answer
