"""The synthetic street: repeatable, geometrically true, and different for every seed."""

import numpy as np
import pytest

from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.synthetic.pinhole_camera import PinholeCamera
from enet_ros.synthetic.street import FRAMES_A_SECOND, SyntheticStreet

ROAD = CAMVID.id_of('Road')
SEEDS = range(6)


def test_a_frame_depends_on_seed_and_index_alone():
    street = SyntheticStreet(160, 120, seed=3)
    frames = [street.render(index) for index in (0, 40, 7)]
    again = SyntheticStreet(160, 120, seed=3)
    for index, frame in zip((0, 40, 7), frames):
        other = again.render(index)
        assert np.array_equal(frame.image, other.image)
        assert np.array_equal(frame.labels, other.labels)


@pytest.mark.parametrize('width, height', [(640, 360), (480, 360), (161, 97), (32, 32)])
def test_shapes_and_ids(width, height):
    frame = SyntheticStreet(width, height, seed=1).render(5)
    assert frame.image.shape == (height, width, 3) and frame.image.dtype == np.uint8
    assert frame.labels.shape == (height, width) and frame.labels.dtype == np.uint8
    assert frame.labels.max() < len(CAMVID)


def test_every_class_is_seen_and_seeds_differ():
    pixels, images = np.zeros(11, int), set()
    for seed in SEEDS:
        street = SyntheticStreet(240, 180, seed)
        for index in (0, 50):
            frame = street.render(index)
            pixels += np.bincount(frame.labels.ravel(), minlength=11)
            images.add(frame.image.tobytes())
    assert len(images) == 2 * len(SEEDS)
    assert (pixels / pixels.sum() > 0.001).all()
    assert 0.15 < pixels[ROAD] / pixels.sum() < 0.6


def test_the_view_flows():
    """Neighbouring frames are alike, and far ones are not."""
    street = SyntheticStreet(160, 120, seed=2)
    labels = [street.render(index).labels for index in (20, 21, 120)]
    assert (labels[0] == labels[1]).mean() > 0.75
    assert (labels[0] == labels[1]).mean() > (labels[0] == labels[2]).mean()
    assert street.render(100_000).labels.shape == (120, 160)


def test_the_camera_projects_as_ros_says():
    camera = PinholeCamera(640, 360, 500, 510, 320, 180, height_m=1.5, pitch=0.0)
    # Ten metres ahead, one to the left, on the ground.
    u, v, depth = camera.matrix() @ [10, 1, 0, 1]
    assert (u / depth, v / depth, depth) == pytest.approx((320 - 50, 180 + 76.5, 10))
    down = PinholeCamera(640, 360, 500, 510, 320, 180, height_m=1.5, pitch=0.1)
    u, v, depth = down.matrix() @ [15 / np.tan(0.1) / 10, 0, 0, 1]
    assert (u / depth, v / depth) == pytest.approx((320, 180))


def ground_points(street, labels, rng, count=4000):
    """Return pixels (row, column) below the horizon and the ground points that they show."""
    camera = street.camera
    rows = rng.integers(camera.height // 2, camera.height, count)
    columns = rng.integers(0, camera.width, count)
    plane = camera.matrix()[:, [0, 1, 3]]  # of the ground, z = 0
    points = np.linalg.solve(plane, np.stack([columns, rows, np.ones(count)]))
    points = (points[:2] / points[2]).T
    near = (points[:, 0] > 1) & (points[:, 0] < 40)
    return rows[near], columns[near], points[near]


@pytest.mark.parametrize('seed', SEEDS)
def test_road_pixels_are_free_ground(seed):
    street, rng = SyntheticStreet(320, 240, seed), np.random.default_rng(seed)
    for index in (0, 33):
        labels = street.render(index).labels
        rows, columns, points = ground_points(street, labels, rng)
        road = labels[rows, columns] == ROAD
        free = street.is_free(index, points)
        # Under cars one sees road where one cannot drive; elsewhere the two agree.
        assert free[road].mean() > 0.93
        assert not free[labels[rows, columns] == CAMVID.id_of('Pavement')].any()


@pytest.mark.parametrize('seed', SEEDS)
def test_free_ground_looks_like_road_or_is_hidden(seed):
    street, rng = SyntheticStreet(320, 240, seed), np.random.default_rng(seed)
    labels = street.render(12).labels
    rows, columns, points = ground_points(street, labels, rng)
    free = street.is_free(12, points)
    seen = labels[rows, columns][free]
    assert free.any()
    # What is not road there stands in front of it; open ground is never pavement or sky.
    assert (seen == ROAD).mean() > 0.7
    assert not np.isin(seen, [CAMVID.id_of('Pavement'), CAMVID.id_of('Sky')]).any()


def test_things_that_stand_still_come_nearer_as_the_camera_drives():
    street = SyntheticStreet(160, 120, seed=5)
    later = 3
    step = street.speed * later / FRAMES_A_SECOND
    parked = [(thing, ahead) for thing, ahead in street._things(10, street._pose(10)[0])
              if thing.speed == 0 and ahead > 10]
    assert parked
    then = {id(thing): ahead for thing, ahead in street._things(10 + later,
                                                               street._pose(10 + later)[0])}
    for thing, ahead in parked:
        assert then[id(thing)] == pytest.approx(ahead - step)


@pytest.mark.parametrize('arguments', [(16, 100, 0), (100, 31, 0)])
def test_sizes_that_are_too_small_are_refused(arguments):
    with pytest.raises(BadInput, match='the least is 32x32'):
        SyntheticStreet(*arguments)


def test_frames_count_from_zero():
    with pytest.raises(BadInput, match='count from 0'):
        SyntheticStreet(64, 48).render(-1)
