"""Free space, compared with the ground truth of the synthetic street."""

import numpy as np
import pytest

from enet_ros.evaluation.freespace_score import Trial, run_trials
from enet_ros.synthetic.street import SyntheticStreet
from enet_ros.synthetic.truth import StreetTruth


@pytest.fixture(scope='module')
def scores():
    """Return the scores of a few frames: with the correct pitch, and with an error of a degree."""
    trials = Trial(), Trial(np.radians(1.0))
    assert len(list(run_trials(trials, 3, 2, 640, 360, first_seed=7_000_000))) == 6
    return [trial.score for trial in trials]


def test_most_cells_and_rays_are_correct(scores):
    score = scores[0]
    assert score.visible_cells > 10_000 and score.rays > 500 and score.occupied_in_view > 300
    assert score.correct_cells >= 0.98 * score.visible_cells
    assert score.unsafe_cells <= 0.005 * score.occupied_cells
    assert score.correct_rays >= 0.93 * score.rays
    assert score.mean_error < 0.03


def test_a_wrong_pitch_is_noticed(scores):
    right, wrong = scores
    assert wrong.mean_error > 2 * right.mean_error


def test_ground_truth_agrees_with_the_street():
    street = SyntheticStreet(320, 180, 7_000_001)
    truth = StreetTruth(street)
    x, y = np.meshgrid(np.arange(0.05, 15, 0.1), np.arange(-9.95, 10, 0.1))
    taken, shown = truth.cells(10, x, y, 0.1)
    assert shown.any() and not shown[~truth.in_view(x, y)].any()
    np.testing.assert_array_equal(
        taken.ravel(), ~street.is_free(10, np.c_[x.ravel(), y.ravel()]))
    bearings = np.linspace(-0.5, 0.5, 21)
    ranges = truth.scan(10, bearings, 15.0)
    met = np.isfinite(ranges)
    assert met.any()
    at = np.c_[np.cos(bearings), np.sin(bearings)][met] * ranges[met, None]
    assert street.is_free(10, at * (1 - 0.03 / ranges[met, None])).mean() > 0.9
    assert not street.is_free(10, at * (1 + 0.03 / ranges[met, None])).any()
