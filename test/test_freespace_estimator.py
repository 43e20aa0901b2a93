"""Grid, scan and points of simple scenes whose ground truth is known."""

import dataclasses

import numpy as np
import pytest
from scenes import BOX, FLOOR, PAVEMENT, TRUCK, YARD, Block, pinhole, render_labels

from enet_ros.errors import BadInput
from enet_ros.freespace import ray_casting
from enet_ros.freespace.camera import Calibration
from enet_ros.freespace.config import (
    ClassesConfig,
    FreeSpaceConfig,
    FusionConfig,
    GridConfig,
    GroundConfig,
    ScanConfig,
)
from enet_ros.freespace.estimator import FreeSpaceEstimator
from enet_ros.freespace.pose import Pose
from enet_ros.freespace.surface_classes import SurfaceClasses
from enet_ros.labels import CAMVID, CITYSCAPES, SUN_RGBD, LabelClass, LabelSet

SIZE = 320, 240
AHEAD = Pose.from_angles(0, 0, 1.5, 0, 0.35, 0)
ASIDE = Pose.from_angles(0.6, 0.4, 1.3, 0.06, 0.45, 0.3)
REAR = Pose.from_angles(-0.5, 0.0, 1.5, 0, 0.4, np.pi)
OPEN = FreeSpaceConfig(grid=GridConfig(0.1, -8.0, 8.0, -6.0, 6.0),
                       scan=ScanConfig(-3.14, 3.14, 0.01, 8.0))
LENS = {'d': (-0.25, 0.06, 1e-3, -1e-3, 0.0)}


def free_space(pose, config=OPEN, rectified=True, **more):
    config = dataclasses.replace(config, camera=dataclasses.replace(config.camera,
                                                                    rectified=rectified))
    return FreeSpaceEstimator(pinhole(*SIZE, 240.0, **more), pose, SIZE, YARD, config)


def scene_labels(space, blocks=(), pavement=None):
    return render_labels(space.ground.camera, space.ground.pose, blocks, pavement)


def cell(space, grid, x, y):
    """Return the value of the cell at a point of the base frame."""
    (left, low), size = space.grid.origin, space.grid.resolution
    return grid[int((y - low) / size), int((x - left) / size)]


def beam(space, scan, bearing):
    """Return the range in the direction nearest to a bearing."""
    return scan[np.abs(space.scan.bearings - bearing).argmin()]


@pytest.mark.parametrize('pose', [AHEAD, ASIDE, REAR])
def test_empty_ground_is_free_where_it_is_seen(pose):
    space = free_space(pose)
    view = space(scene_labels(space))
    assert set(np.unique(view.grid)) == {-1, 0}
    x, y = np.broadcast_arrays(*space.grid.centers())
    seen = space.ground.pixels(x, y) >= 0
    # The two may differ along the edges of the image.
    assert ((view.grid == 0) == seen).mean() > 0.995
    assert not view.grid[0].any() or (view.grid[0] == -1).any()
    assert np.isinf(view.scan).any() and not np.isfinite(view.scan).any()
    assert len(view.points.xy) == 0


@pytest.mark.parametrize('rectified, more', [(True, {}), (False, LENS)])
@pytest.mark.parametrize('pose', [AHEAD, ASIDE])
def test_a_wall_is_located_and_hides_the_ground_behind_it(pose, rectified, more):
    space = free_space(pose, rectified=rectified, **more)
    view = space(scene_labels(space, [Block((5.0, 5.4), (-9, 9), (0, 2))]))
    for y in (-0.5, 0.0, 1.0):
        assert cell(space, view.grid, 4.7, y) == 0
        assert 100 in (cell(space, view.grid, x, y) for x in (4.95, 5.05))
        assert cell(space, view.grid, 6.0, y) == -1
        bearing = np.arctan2(y, 5.0)
        length = 2 * space.ground.pixel_length(5.0)
        assert beam(space, view.scan, bearing) * np.cos(bearing) == pytest.approx(5, abs=length)
    assert np.abs(view.points.xy[:, 0] - 5.0).max() < length
    assert (view.points.class_id == BOX).all()


def test_scan_bearings_are_counterclockwise_about_the_base():
    space = free_space(ASIDE)
    view = space(scene_labels(space, [Block((3.9, 4.3), (1.8, 2.2), (0, 1))]))
    bearing = space.scan.bearings[np.nanargmin(view.scan)]
    assert np.arctan2(1.8, 3.9) - 0.03 < bearing < np.arctan2(2.2, 3.9) + 0.03
    assert np.nanmin(view.scan) == pytest.approx(np.hypot(3.9, 1.9), abs=0.12)
    # Beside it one sees past it, behind the camera nothing.
    assert np.isinf(beam(space, view.scan, 0.1))
    assert np.isnan(beam(space, view.scan, np.pi))


def test_a_rear_camera_fills_the_rear_of_the_scan():
    space = free_space(REAR)
    view = space(scene_labels(space, [Block((-5.4, -5.0), (-9, 9), (0, 2))]))
    assert cell(space, view.grid, -4.0, 0.2) == 0 and cell(space, view.grid, -5.05, 0.2) == 100
    assert (view.grid[:, space.grid.shape[1] // 2:] == -1).all()
    assert beam(space, view.scan, 3.13) == pytest.approx(5.0, abs=0.1)
    assert beam(space, view.scan, -3.13) == pytest.approx(5.0, abs=0.1)


def test_a_camera_that_looks_straight_down():
    config = dataclasses.replace(OPEN, grid=GridConfig(0.05, -1.5, 1.5, -1.5, 1.5))
    space = free_space(Pose.from_angles(0, 0, 2.0, 0, np.pi / 2, 0), config)
    view = space(scene_labels(space, [Block((0.4, 0.5), (-0.05, 0.05), (0, 0.1)),
                                 Block((-0.5, -0.4), (-0.1, 0.1), (0, 0.1))]))
    assert cell(space, view.grid, 0.02, 0.02) == 0
    assert cell(space, view.grid, 0.42, 0.0) == 100
    assert cell(space, view.grid, -0.42, 0.0) == 100
    assert cell(space, view.grid, 0.0, 0.6) == 0
    assert cell(space, view.grid, -0.65, 0.02) == 0  # seen over the low block
    assert beam(space, view.scan, 0.0) == pytest.approx(0.4, abs=0.03)
    assert beam(space, view.scan, np.pi) == pytest.approx(0.4, abs=0.03)


def test_flat_ground_is_occupied_but_hides_nothing():
    space = free_space(AHEAD)
    view = space(scene_labels(space, pavement=lambda x, y: (x > 4) & (x < 5)))
    assert cell(space, view.grid, 3.8, 0) == 0
    assert cell(space, view.grid, 4.5, 0) == 100
    assert cell(space, view.grid, 5.5, 0) == 0
    assert beam(space, view.scan, 0.0) == pytest.approx(4.0, abs=0.05)
    assert set(view.points.class_id) == {PAVEMENT}


def test_an_obstacle_behind_a_curb_has_a_contact_point():
    space = free_space(AHEAD)
    view = space(scene_labels(space, [Block((5.0, 6.0), (-9, 9), (0, 1))], lambda x, y: x > 4))
    for class_id, x in ((PAVEMENT, 4.0), (BOX, 5.0)):
        ahead = view.points.xy[view.points.class_id == class_id]
        assert len(ahead) > 100
        np.testing.assert_allclose(ahead[:, 0], x, atol=0.12)


def test_unlabeled_pixels_are_unknown_and_end_the_ray():
    space = free_space(AHEAD)
    labels = scene_labels(space, [Block((6.0, 6.5), (-9, 9), (0, 1))])
    row = int(space.ground.pixels(np.array(4.0), np.array(0.0))) // SIZE[0]
    labels[row, :] = 255
    view = space(labels)
    assert cell(space, view.grid, 3.5, 0) == 0
    assert (view.grid[:, 130:] == -1).all() and not (view.grid == 100).any()
    assert np.isnan(view.scan).all() and len(view.points.xy) == 0
    empty = space(np.full(labels.shape, 255, np.uint8))
    assert (empty.grid == -1).all() and np.isnan(empty.scan).all()


def test_ground_far_behind_a_low_obstacle_is_visible():
    space = free_space(AHEAD)
    view = space(scene_labels(space, [Block((4.0, 4.2), (-9, 9), (0, 0.4))]))
    # Its top hides the ground up to 4.2 / (1 - 0.4 / 1.5) = 5.73 m.
    values = [cell(space, view.grid, x, 0.0) for x in (3.8, 4.05, 5.0, 5.5, 6.0, 6.5)]
    assert values == [0, 100, -1, -1, 0, 0]
    assert beam(space, view.scan, 0.0) == pytest.approx(4.0, abs=0.1)


def test_a_pole_narrower_than_a_cell_is_marked():
    space = free_space(AHEAD)
    for y in np.arange(-0.1, 0.1, 0.027):
        view = space(scene_labels(space, [Block((4.02, 4.05), (y, y + 0.03), (0, 1))]))
        around = view.grid[:, 119:123][[int((y + 6) * 10), int((y + 6.03) * 10)]]
        assert (around == 100).any()


def test_only_obstacles_end_rays_at_the_edge_of_the_image():
    space = free_space(AHEAD)
    view = space(np.full((240, 320), BOX, np.uint8))
    assert not (view.grid == 0).any()
    assert np.nanmin(view.scan) == np.float32(space.scan.range_min)
    assert beam(space, view.scan, 0.0) == pytest.approx(space.scan.range_min, abs=0.05)


@pytest.mark.parametrize('height, pitch', [(0.3, 0.0), (0.5, 0.1), (0.9, 0.2)])
def test_rays_are_free_if_the_ground_ends_before_the_scan(height, pitch):
    space = free_space(Pose.from_angles(0, 0, height, 0, pitch, 0), FreeSpaceConfig())
    assert space.scan.range_max < FreeSpaceConfig().scan.range_max
    ahead = np.abs(space.scan.bearings) < 0.3
    assert np.isinf(space(scene_labels(space)).scan[ahead]).all()


def test_ground_outside_the_image_is_not_free():
    space = free_space(Pose.from_angles(1.0, 0, 1.2, 0, 0.2, 0), FreeSpaceConfig())
    empty = space(scene_labels(space)).scan
    for distance in np.arange(1.5 * space.scan.range_min, 10.0, 0.5):
        # A box that the camera does not see is on none of the rays reported free.
        y = (distance - 1.0) * (159.5 / 240) + 0.4
        box = Block((distance - 0.1, distance + 0.1), (y - 0.1, y + 0.1), (0, 0.3))
        assert BOX not in scene_labels(space, [box])
        assert np.isnan(beam(space, empty, np.arctan2(y, distance)))
    assert np.isinf(empty[np.abs(space.scan.bearings) < 0.3]).all()


def test_wide_images_are_used_up_to_their_sides():
    wide = FreeSpaceEstimator(pinhole(*SIZE, 80.0), AHEAD, SIZE, YARD, OPEN)
    scan = wide(render_labels(wide.ground.camera, AHEAD)).scan
    assert np.isinf(beam(wide, scan, 1.0)) and np.isinf(beam(wide, scan, -1.0))


@pytest.mark.parametrize('span, free_below', [(3.5, False), (0.0, True)])
def test_the_ground_between_the_wheels_of_a_vehicle_is_not_free(span, free_below):
    config = dataclasses.replace(OPEN, ground=GroundConfig(span=span))
    space = free_space(AHEAD, config)
    truck = [Block((4, 6), (-0.9, 0.9), (0.3, 1.4), TRUCK)]
    truck += [Block((4, 4.5), y, (0, 0.4), TRUCK) for y in ((-0.8, -0.6), (0.6, 0.8))]
    view = space(scene_labels(space, truck))
    assert (cell(space, view.grid, 4.3, 0.0) == 0) == free_below
    # Also to the side of them, below the body.
    beside = beam(space, view.scan, np.arctan2(0.87, 4.0))
    assert (beside > 4.5) == free_below
    if not free_below:
        assert beside == pytest.approx(np.hypot(4.0, 0.87), abs=0.1)
    reach = beam(space, view.scan, 0.0)
    assert reach == pytest.approx(4.0 / (1 - 0.3 / 1.5) if free_below else 4.0, abs=0.1)
    assert (view.points.class_id == TRUCK).all()


@pytest.mark.parametrize('height', [0.2, 0.35, 0.5, 1.0])
@pytest.mark.parametrize('class_id', [BOX, TRUCK])
def test_only_overhanging_obstacles_have_gaps_below(height, class_id):
    space = free_space(Pose.from_angles(0, 0, height, 0, 0.05, 0))
    view = space(scene_labels(space, [Block((3.0, 3.2), (0.6, 8), (0, 2), class_id),
                                 Block((3.0, 3.2), (-8, -0.6), (0, 2), class_id),
                                 Block((4.0, 4.2), (-8, 8), (0, 2), class_id)]))
    # A doorway with a wall behind it, or two trucks in front of a third.
    closed = class_id == TRUCK
    assert beam(space, view.scan, 0.0) == pytest.approx(3.0 if closed else 4.0, abs=0.2)
    assert cell(space, view.grid, 3.1, 0.0) == (100 if closed else 0)


def test_low_cameras_do_not_close_gaps_of_far_obstacles():
    space = free_space(Pose.from_angles(0, 0, 0.35, 0, 0.05, 0), FreeSpaceConfig())
    near = [Block((0.8, 0.85), y, (0, 1), TRUCK) for y in ((0.3, 0.5), (-0.5, -0.3))]
    view = space(scene_labels(space, [*near, Block((4.2, 4.5), (-8, 8), (0, 2), TRUCK)]))
    assert beam(space, view.scan, 0.0) == pytest.approx(4.2, abs=0.3)


def test_two_obstacles_far_apart_are_not_joined():
    space = free_space(AHEAD)
    view = space(scene_labels(space, [Block((4, 4.2), (-1.3, -0.9), (0, 1)),
                                 Block((4, 4.2), (0.9, 1.3), (0, 1)),
                                 Block((6.5, 7.0), (-9, 9), (0, 1))]))
    assert cell(space, view.grid, 6.0, 0.0) == 0
    assert beam(space, view.scan, 0.0) == pytest.approx(6.5, abs=0.15)


def test_points_have_the_confidence_of_their_pixels():
    space = free_space(AHEAD)
    labels = scene_labels(space, [Block((5.0, 5.4), (-9, 9), (0, 2))])
    confidence = np.where(labels == BOX, 77, 200).astype(np.uint8)
    assert set(space(labels, confidence).points.confidence) == {77}
    assert space(labels).points.confidence is None


def test_frames_do_not_depend_on_earlier_frames():
    space = free_space(AHEAD)
    empty, full = scene_labels(space), scene_labels(space, [Block((4, 4.4), (-9, 9), (0, 2))])
    first = space(empty).grid.copy()
    assert not np.array_equal(space(full).grid, first)
    assert np.array_equal(space(empty).grid, first)


@pytest.mark.parametrize('seed', range(3))
def test_random_images_give_valid_results(seed):
    rng = np.random.default_rng(seed)
    space = free_space(ASIDE)
    labels = rng.choice([FLOOR] * 40 + [PAVEMENT, BOX, TRUCK, 255], (240, 320)).astype(np.uint8)
    view = space(labels)
    assert set(np.unique(view.grid)) <= {-1, 0, 100}
    met = view.scan[np.isfinite(view.scan)]
    assert ((met >= np.float32(space.scan.range_min)) & (met <= space.scan.range_max)).all()
    assert np.isfinite(view.points.xy).all() and not np.isin(view.points.class_id, [255]).any()


def test_a_fisheye_locates_a_wall():
    lens = Calibration(*SIZE, (110.0, 0, 159.5, 0, 110.0, 119.5, 0, 0, 1), (0.01, -0.01, 0, 0),
                       'equidistant')
    config = dataclasses.replace(OPEN, camera=dataclasses.replace(OPEN.camera, rectified=False))
    space = FreeSpaceEstimator(lens, AHEAD, SIZE, YARD, config)
    view = space(scene_labels(space, [Block((3.0, 3.4), (-9, 9), (0, 2))]))
    for bearing in (-0.7, 0.0, 0.7):
        assert beam(space, view.scan, bearing) * np.cos(bearing) == pytest.approx(3.0, abs=0.1)


def config(**parts):
    return dataclasses.replace(OPEN, **parts)


@pytest.mark.parametrize('make, message', [
    (lambda: GridConfig(0.01, -100, 100, -100, 100), 'cells, more than 4000000'),
    (lambda: ScanConfig(1.0, -1.0), 'bearings'),
    (lambda: ScanConfig(-3.0, 3.0, 0.0015), '4001 bearings'),
    (lambda: config(grid=GridConfig(0.1, 0, 200, -5, 5), fusion=FusionConfig(enabled=True)),
     'fusion.enabled is True; .* 4002x4002 cells'),
    (lambda: free_space(Pose.from_angles(40, 0, 1.5, 0, 0.35, 0)), 'no scan about the origin'),
    (lambda: free_space(Pose.from_angles(0, 0, 0.01, 0, 1.58, 0)), 'no scan about the origin'),
    (lambda: free_space(Pose.from_angles(0, 0, 1.5, 0, -1.0, 0)), 'sees no ground'),
    (lambda: GridConfig(x_min=3.0, x_max=3.0), 'at least one cell above'),
    (lambda: GridConfig(resolution=float('nan')), 'resolution'),
    (lambda: free_space(AHEAD)(np.zeros((100, 100), np.uint8)), r'shape \(100, 100\)'),
    (lambda: free_space(AHEAD)(np.zeros((240, 320), np.int32)), 'int32'),
    (lambda: free_space(AHEAD)(np.zeros((240, 320), np.uint8), np.zeros((9, 9), np.uint8)),
     'the confidence image'),
    (lambda: free_space(AHEAD)(np.full((240, 320), 5, np.uint8)), 'has id 5'),
])
def test_invalid_inputs_are_rejected(make, message):
    with pytest.raises(BadInput, match=message):
        make()


def test_surfaces_follow_the_label_set_unless_configured():
    ids = np.arange(5, dtype=np.uint8)[None]
    assert SurfaceClasses(YARD).classify(ids).tolist() == [[0, -2, -2, -2, -2]]
    assert SurfaceClasses(
        YARD, default_flat=('pavement',)).classify(ids).tolist() == [[0, 100, -2, -2, -2]]
    assert SurfaceClasses(
        YARD, ['Pavement'], ['Floor']).classify(ids).tolist() == [[100, 0, -2, -2, -2]]
    with pytest.raises(BadInput, match="no class 'Lawn'"):
        SurfaceClasses(YARD, drivable=['Lawn'])
    with pytest.raises(BadInput, match="'Floor' is both drivable and flat"):
        SurfaceClasses(YARD, ['Floor'], ['Floor'])


def test_drivable_classes_are_not_flat_unless_configured():
    usual = ClassesConfig().default_flat
    assert SurfaceClasses(
        YARD, ['Floor', 'Pavement'], default_flat=usual).surfaces[:3].tolist() == [0, 0, -2]
    park = LabelSet('park', (LabelClass('terrain', (1, 2, 3), drivable=True),
                             LabelClass('road', (1, 2, 4), drivable=True)))
    assert SurfaceClasses(park, default_flat=usual).surfaces[:2].tolist() == [0, 0]
    named = SurfaceClasses(park, flat=['terrain'], default_flat=usual)
    assert named.surfaces[:2].tolist() == [100, 0]


@pytest.mark.parametrize('labels, names', [
    (CAMVID, ['Car', 'Pedestrian', 'Bicyclist']),
    (CITYSCAPES, ['person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle']),
    (SUN_RGBD, ['bed', 'chair', 'sofa', 'table', 'desk', 'person', 'night_stand']),
], ids=lambda value: getattr(value, 'name', ''))
def test_the_default_overhanging_classes(labels, names):
    classes = SurfaceClasses(labels, overhanging=ClassesConfig().overhanging)
    ids = np.flatnonzero(classes.overhanging)
    assert [labels.names[place] for place in ids] == names
    assert not SurfaceClasses(labels, overhanging=()).overhanging.any()


def test_scans_and_rays_that_take_all_memory_are_refused(monkeypatch):
    config = dataclasses.replace(OPEN, scan=ScanConfig(-3.14, 3.14, 0.0016, 1000.0),
                                 ground=GroundConfig(pixel_length=10.0))
    far = Pose.from_angles(0, 0, 90.0, 0, 0.2, 0)
    with pytest.raises(BadInput, match=r'the scan has 3926 bearings of \d+ samples, more than'):
        FreeSpaceEstimator(pinhole(*SIZE, 9000.0), far, SIZE, YARD, config)
    monkeypatch.setattr(ray_casting, 'MAX_SAMPLES', 100_000)
    with pytest.raises(BadInput, match='rays one pixel apart .*more than 100,000; reduce'):
        free_space(AHEAD)
