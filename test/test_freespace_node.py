"""The free space node as a process, observed over DDS."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from camera import result_of, stamp
from diagnostic_msgs.msg import DiagnosticStatus
from label_publisher import (
    GRID,
    GROUND,
    NODE,
    OUTPUTS,
    PARAMETERS,
    POINTS,
    SCAN,
    SIZE,
    LabelPublisher,
    has_results,
    make_estimator,
    scene_labels,
)
from lifecycle_msgs.msg import Transition
from nav_msgs.msg import OccupancyGrid
from nodes import LATCHED
from scenes import BOX
from sensor_msgs.msg import LaserScan


def cloud(message):
    """Return the points of a PointCloud2 as a structured array (rows, columns)."""
    kinds = {7: np.float32, 2: np.uint8}
    dtype = np.dtype({'names': [field.name for field in message.fields],
                      'formats': [kinds[field.datatype] for field in message.fields],
                      'offsets': [field.offset for field in message.fields],
                      'itemsize': message.point_step})
    assert message.row_step == message.width * message.point_step
    return np.frombuffer(message.data, dtype).reshape(message.height, message.width)


def test_every_output_equals_that_of_the_core(free_space, probe):
    _, source = free_space({'input.confidence': True, 'base_frame': 'base'})
    message = source.send_until(has_results(probe, *OUTPUTS))
    got = {topic: result_of(probe, topic, message) for topic in OUTPUTS}
    assert {output.header.frame_id for output in got.values()} == {'base'}
    assert {stamp(output) for output in got.values()} == {stamp(message)}
    space = make_estimator()
    view = space(scene_labels())

    grid, info = got[GRID], got[GRID].info
    assert (info.width, info.height, info.resolution) == (40, 40, pytest.approx(0.2))
    assert (info.origin.position.x, info.origin.position.y) == (0.0, -4.0)
    assert info.origin.orientation.w == 1.0
    np.testing.assert_array_equal(np.reshape(grid.data, (40, 40)), view.grid)
    assert set(grid.data) == {-1, 0, 100}

    scan = got[SCAN]
    np.testing.assert_array_equal(np.array(scan.ranges, np.float32), view.scan)
    bearings = scan.angle_min + scan.angle_increment * np.arange(len(scan.ranges))
    np.testing.assert_allclose(bearings, space.scan.bearings, atol=1e-4)
    assert scan.angle_max == pytest.approx(bearings[-1], abs=1e-4)
    assert 0 < scan.range_min < np.nanmin(scan.ranges) < 4.5 < scan.range_max
    values = {entry.key: entry.value for entry in probe.status(NODE).values}
    assert (values['scan range_min, range_max in meters']
            == f'{scan.range_min:.2f}, {scan.range_max:.2f}')

    points = cloud(got[POINTS])[0]
    np.testing.assert_array_equal(np.c_[points['x'], points['y']], view.points.xy)
    assert got[POINTS].is_dense and not points['z'].any() and len(points) > 20
    assert set(points['class_id']) == {BOX} and set(points['confidence']) == {77}

    ground = cloud(got[GROUND])
    assert ground.shape == SIZE[::-1] and not got[GROUND].is_dense
    np.testing.assert_array_equal(np.stack([ground['x'], ground['y']], -1), view.ground_points)
    np.testing.assert_array_equal(np.isnan(ground['z']), np.isnan(ground['x']))
    assert np.isnan(ground['x'][0]).all() and np.isfinite(ground['x'][-1]).all()


def test_the_grid_is_latched_and_only_subscribed_outputs_are_made(free_space, probe):
    _, source = free_space(topics=[])

    def counts():
        source.send()
        return {entry.key: entry.value for entry in probe.status(NODE).values}

    for _ in range(3):
        source.send()
        probe.spin(0.2)
    probe.wait(lambda: int(counts()['label images received']) > 3, 'label images to come')
    assert 'label images published' not in counts()
    subscription = probe.subscribe(OccupancyGrid, GRID, LATCHED)
    message = source.send_until(has_results(probe, GRID))
    probe.node.destroy_subscription(subscription)
    last = stamp(probe.received[GRID][-1])
    assert last >= stamp(message)
    probe.subscribe(OccupancyGrid, GRID, LATCHED)
    probe.wait(lambda: probe.received[GRID], 'the grid for a late subscriber')
    assert stamp(probe.received[GRID][0]) >= last


def test_the_geometry_is_reported_before_anybody_subscribes(free_space, probe):
    _, source = free_space(topics=[])
    scan = make_estimator().scan

    def reported():
        source.send()
        return {entry.key: entry.value for entry in probe.status(NODE).values}.get(
            'scan range_min, range_max in meters')

    assert probe.wait(reported, 'the geometry') == f'{scan.range_min:.2f}, {scan.range_max:.2f}'

    def uncalibrated():
        messages = source.frame()
        messages['camera_info'].p = [0.0] * 12
        source.send(messages)
        return 'the camera is not calibrated' in probe.status(NODE).message

    probe.wait(uncalibrated, 'the report of an uncalibrated camera')


def test_confidence_is_optional(free_space, probe):
    _, source = free_space(topics=[POINTS])
    message = source.send_until(has_results(probe, POINTS), make=lambda: {
        topic: part for topic, part in source.frame().items() if topic != 'confidence'})
    points = result_of(probe, POINTS, message)
    assert [field.name for field in points.fields] == ['x', 'y', 'z', 'class_id']


def test_ground_points_of_all_pixels(free_space, probe):
    _, source = free_space(topics=[GROUND])
    points = {}
    for kind in ('visible', 'static'):
        assert probe.set_parameter(NODE, 'ground.points', kind).successful
        del probe.received[GROUND][:]
        message = source.send_until(has_results(probe, GROUND))
        ground = cloud(result_of(probe, GROUND, message))
        points[kind] = np.stack([ground['x'], ground['y']], -1)
    np.testing.assert_array_equal(points['static'], make_estimator().ground.points)
    removed = np.isnan(points['visible'][..., 0]) & ~np.isnan(points['static'][..., 0])
    assert removed.any() and (scene_labels()[removed] == BOX).any()
    assert not probe.set_parameter(NODE, 'ground.points', 'some').successful


def test_only_messages_with_one_stamp_are_combined(free_space, probe):
    _, source = free_space(topics=[SCAN])

    def said(words, make):
        """Send frames until the diagnostics contain all words; no scan may be published."""
        del probe.received[SCAN][:]

        def heard():
            for _ in range(4):
                source.send(make())
                probe.spin(0.05)
            return all(word in probe.status(NODE).message for word in words)
        probe.wait(heard, f'the words {words}')
        assert not probe.received[SCAN]

    def apart():
        return {**source.frame(), 'camera_info': source.frame(age=0.5)['camera_info']}

    said(['no camera_info with the stamps of the label images', '/camera_info'], apart)
    source.send_until(has_results(probe, SCAN))
    probe.wait(lambda: source.send_until(has_results(probe, SCAN))
               and probe.status(NODE).level == DiagnosticStatus.OK, 'status OK')


def test_missing_inputs_are_named(start_node, probe):
    start_node('freespace_node', PARAMETERS)
    probe.subscribe(LaserScan, SCAN)
    probe.bring_up(NODE)
    source = LabelPublisher(probe, topics=[])

    def says(*words):
        def heard():
            for _ in range(12):
                source.send()
                probe.spin(0.05)
            return all(word in probe.status(NODE).message for word in words)
        probe.wait(heard, f'the words {words}')

    says('no label image on /label', 'nobody publishes there')
    for topic, *words in (('label', 'no camera_info', 'nobody publishes on /camera_info'),
                          ('camera_info', 'no label_map', 'nobody publishes on /label_map'),
                          ('label_map', 'no label_map was received on /label_map')):
        source.advertise([topic])
        source.wait_for_node()
        says(*words)
    assert not probe.received[SCAN]
    source.announce()
    source.send_until(has_results(probe, SCAN))


def test_late_frames_are_withheld(free_space, probe):
    _, source = free_space({'latency.budget_ms': 0.001}, topics=[SCAN])

    def is_reported():
        for _ in range(10):
            source.send()
            probe.spin(0.05)
        return 'dropped for their age' in probe.status(NODE).message

    probe.wait(is_reported, 'the warning')
    assert not probe.received[SCAN]
    assert probe.set_parameter(NODE, 'latency.budget_ms', 60000.0).successful
    source.send_until(has_results(probe, SCAN))
    assert probe.set_parameter(NODE, 'latency.max_age_ms', 2000.0).successful
    del probe.received[SCAN][:]

    def dropped():
        source.send(source.frame(age=5.0))
        return any(entry.key == 'label images dropped: too old on arrival'
                   for entry in probe.status(NODE).values)

    probe.wait(dropped, 'an old frame to be dropped')
    assert not probe.received[SCAN]
    source.send_until(has_results(probe, SCAN))


def test_a_wrong_pitch_is_reported(free_space, probe):
    road = scene_labels((), pavement=lambda x, y: np.abs(y) > 1.5)
    _, source = free_space({'camera.pitch': 0.35 + np.radians(1)}, topics=[SCAN])
    source.labels = road

    def is_status(words):
        for _ in range(20):
            source.send()
            probe.spin(0.05)
        return words in probe.status(NODE).message

    probe.wait(lambda: is_status('degrees less down'), 'the warning')
    assert probe.set_parameter(NODE, 'camera.pitch', 0.35).successful
    probe.wait(lambda: is_status('finding free space'), 'status OK')


def test_repeated_life_cycles(free_space, probe):
    node, source = free_space(topics=[SCAN, GRID])
    for turn in range(3):
        if turn:
            probe.bring_up(NODE)
            source.wait_for_node()
            source.announce()
        source.send_until(has_results(probe, SCAN, GRID))
        for _ in range(3):  # frames in progress while it stops
            source.send()
        assert probe.change_state(NODE, Transition.TRANSITION_DEACTIVATE)
        del probe.received[SCAN][:]
        source.send()
        probe.spin(0.5)
        assert not probe.received[SCAN], 'an inactive node published'
        assert probe.change_state(NODE, Transition.TRANSITION_CLEANUP)
    assert node.stop() == 0
    assert 'Traceback' not in node.output()


INPUTS = 'label', 'confidence', 'camera_info', 'label_map'
SEGMENTATION = '/segmentation_node'


@pytest.fixture(params=['two processes', 'one process'])
def chain(request, start, start_node, probe, tiny_model):
    """Activate the segmentation node, and the free space node with its outputs as inputs."""
    values = {'output.size': 'network', 'input.confidence': True, 'camera.pitch': 0.2}
    if request.param == 'two processes':
        start(values)
        start_node('freespace_node', values,
                   remaps={name: f'segmentation_node/{name}' for name in INPUTS})
        probe.bring_up(NODE)
    else:
        start_node('segmentation_and_freespace',
                   {'model.path': tiny_model, 'model.device': 'cpu', **values},
                   remaps={'__node': 'segmentation_node', 'camera_info': 'camera_info'})
    probe.bring_up(SEGMENTATION)
    assert probe.state(NODE) == 'active'


def test_behind_the_segmentation_node(chain, probe, camera):
    for topic, kind in OUTPUTS.items():
        probe.subscribe(kind, topic)
    camera.wait_for_node()

    def image():
        camera.send_info(*camera.size)
        return camera.image()

    message = camera.send_until(has_results(probe, *OUTPUTS), make=image)
    ground = result_of(probe, GROUND, message)
    assert (ground.width, ground.height) == (64, 48)
    assert result_of(probe, SCAN, message).header.frame_id == 'base_link'
