"""Fusion of the grids of consecutive frames."""

from types import SimpleNamespace

import numpy as np
import pytest

from enet_ros.errors import BadInput
from enet_ros.freespace.config import FusionConfig
from enet_ros.freespace.fusion import GridFusion


def make_grid(resolution=0.1, rows=40, columns=60):
    origin = 0.0, -rows * resolution / 2

    def centers():
        return (origin[0] + resolution * (np.arange(columns) + 0.5),
                origin[1] + resolution * (np.arange(rows)[:, None] + 0.5))
    return SimpleNamespace(resolution=resolution, origin=origin, shape=(rows, columns),
                           centers=centers)


GRID = make_grid()
X, Y = np.broadcast_arrays(*GRID.centers())
UNKNOWN = np.full(GRID.shape, -1, np.int8)


@pytest.fixture
def fusion():
    return GridFusion(GRID, FusionConfig())


def test_a_single_frame_is_unchanged(fusion):
    values = np.random.default_rng(0).choice([-1, 0, 100], GRID.shape).astype(np.int8)
    np.testing.assert_array_equal(fusion.add(values, 0.0, 0.0, 0.0), values)
    np.testing.assert_array_equal(fusion.add(UNKNOWN, 0.0, 0.0, 0.0), values)


def test_obstacles_keep_their_place_while_the_base_moves(fusion):
    def scene(x, y, yaw):
        # A wall across x = 3 and free ground in front of it, in the odometry's frame.
        along = x + np.cos(yaw) * X - np.sin(yaw) * Y
        return np.where(np.abs(along - 3) < 0.3, 100, np.where(along < 3, 0, -1)).astype(np.int8)

    pose = np.zeros(3)
    fusion.add(scene(*pose), *pose)
    for _ in range(40):
        pose += 0.037, 0.011, 0.008
        fused = fusion.add(UNKNOWN, *pose)
    expected = scene(*pose)
    # Far from the edges, nothing may be lost or shifted.
    world = pose[0] + np.cos(pose[2]) * X - np.sin(pose[2]) * Y
    clear = (np.abs(np.abs(world - 3) - 0.3) > 0.15) & (np.abs(Y) < 1.0) & (X < 1.5)
    assert clear.sum() > 100
    np.testing.assert_array_equal(fused[clear], expected[clear])
    assert (fused[np.abs(Y) < 1.0] == 100).any()


def test_noise_is_filtered_and_lasting_changes_are_adopted(fusion):
    free, taken = np.zeros(GRID.shape, np.int8), np.full(GRID.shape, 100, np.int8)
    for values in (free, free, free, taken):
        fused = fusion.add(values, 0.0, 0.0, 0.0)
    assert (fused == 0).all()
    for _ in range(20):
        fused = fusion.add(taken, 0.0, 0.0, 0.0)
    assert (fused == 100).all()
    for _ in range(8):  # however long it saw the other
        fused = fusion.add(free, 0.0, 0.0, 0.0)
    assert (fused == 0).all()


@pytest.mark.parametrize('pose, words', [((50.0, 0.0, 0.0), 'jumps by 50.00 m and 0.00 rad'),
                                         ((0.0, 0.0, np.pi), 'jumps by 0.00 m and 3.14 rad'),
                                         ((0.0, 0.5, -1.5), 'and 1.50 rad')])
def test_a_jump_resets_the_fusion(fusion, pose, words):
    free = np.zeros(GRID.shape, np.int8)
    fusion.add(free, 0.0, 0.0, 0.0)
    assert (fusion.add(UNKNOWN, *pose) == -1).all() and words in fusion.jump
    assert (fusion.add(free, *pose) == 0).mean() > 0.99 and fusion.jump == ''


def test_a_yaw_that_wraps_at_pi_is_no_jump(fusion):
    for yaw in (3.1, -3.1, 3.1):
        fusion.add(UNKNOWN, 0.0, 0.0, yaw)
        assert fusion.jump == ''


def test_frames_are_not_fused_if_the_base_is_too_fast(fusion):
    free = np.zeros(GRID.shape, np.int8)
    for step in range(20):
        assert (fusion.add(free, 2.5 * step, 0.0, 0.0) == 0).all()
        assert (fusion.jump != '') == (step > 0)


def test_odometry_that_is_not_finite_is_rejected(fusion):
    with pytest.raises(BadInput, match='finite'):
        fusion.add(UNKNOWN, float('nan'), 0.0, 0.0)


@pytest.mark.parametrize('pose', [(1e300, 0.0, 0.0), (0.0, -2e8, 0.0), (0.0, 0.0, float('inf'))])
def test_odometry_beyond_all_cells_is_refused(fusion, pose):
    with pytest.raises(BadInput, match='at most 1e.08 m, correct the odometry'):
        fusion.add(np.zeros(fusion.grid.shape, np.int8), *pose)
