"""The semantic cloud node as a process, observed over DDS."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from camera import result_of
from depth_publisher import (
    DISTANCE,
    HEIGHT,
    NODE,
    OBSTACLES,
    OUTPUTS,
    PARAMETERS,
    POINTS,
    SCAN,
    TOPICS,
    WIDTH,
    DepthPublisher,
)
from diagnostic_msgs.msg import DiagnosticStatus
from label_publisher import has_results
from lifecycle_msgs.msg import Transition
from nodes import node_process
from scenes import BOX, FLOOR
from sensor_msgs.msg import PointField
from std_srvs.srv import Trigger

from enet_ros.label_space.space import class_space
from enet_ros.labels import CAMVID
from enet_ros.pointcloud.cloud import POINT
from enet_ros.ros.messages import label_map


@pytest.fixture
def semantic_cloud(start_node, probe):
    """Return a function that starts the node and activates it; it returns node and source."""
    def active(parameters=None, topics=tuple(OUTPUTS), inputs=TOPICS):
        process = start_node('semantic_cloud_node', {**PARAMETERS, **(parameters or {})})
        source = DepthPublisher(probe, inputs)
        for topic in topics:
            probe.subscribe(OUTPUTS[topic], topic)
        probe.bring_up(NODE)
        source.wait_for_node()
        source.announce()
        return process, source
    return active


def read_cloud(message):
    """Return the points of a PointCloud2 as an array of POINT, (rows, columns)."""
    assert message.point_step == POINT.itemsize
    assert message.row_step == message.width * message.point_step
    data = np.frombuffer(message.data, POINT)
    return data.reshape(message.height, message.width)


def test_points_obstacles_and_scan_of_a_wall(semantic_cloud, probe):
    _, source = semantic_cloud({'input.confidence': True}, inputs=(*TOPICS, 'confidence'))
    source.labels[:, :80] = FLOOR
    label = source.send_until(has_results(probe, POINTS, OBSTACLES, SCAN))
    cloud, obstacles, scan = (result_of(probe, topic, label)
                              for topic in (POINTS, OBSTACLES, SCAN))
    assert cloud.header == label.header and not cloud.is_dense
    assert (cloud.width, cloud.height) == (WIDTH, HEIGHT)
    assert {(field.name, field.datatype) for field in cloud.fields} == {
        *((name, PointField.FLOAT32) for name in ('x', 'y', 'z', 'rgb')),
        ('label', PointField.UINT32), ('confidence', PointField.UINT8)}
    points = read_cloud(cloud)
    np.testing.assert_allclose(points['z'], DISTANCE)
    np.testing.assert_array_equal(points['label'], source.labels)
    np.testing.assert_array_equal(points['confidence'], np.where(source.labels == BOX, 77, 200))
    assert obstacles.header.frame_id == scan.header.frame_id == 'base_link'
    found = read_cloud(obstacles)[0]
    assert obstacles.height == 1 and len(found) and set(found['label']) == {BOX}
    np.testing.assert_allclose(found['x'], DISTANCE, rtol=1e-5)
    assert found['z'].min() >= 0.15 and (found['y'] < 0.1).all()
    ranges, bearings = np.array(scan.ranges), scan.angle_min + scan.angle_increment * np.arange(
        len(scan.ranges))
    right = (bearings < -0.05) & (bearings > -0.4)
    np.testing.assert_allclose(ranges[right], DISTANCE / np.cos(bearings[right]), rtol=0.01)
    assert np.isinf(ranges[(bearings > 0.05) & (bearings < 0.4)]).all()

    depth = np.full((HEIGHT, WIDTH), DISTANCE, np.float32)
    depth[:, 80:] = np.nan  # of the box
    label = source.send_until(has_results(probe, SCAN), lambda: source.frame(depth=depth))
    ranges = np.array(result_of(probe, SCAN, label).ranges)
    assert np.isnan(ranges[right]).all()
    assert np.isinf(ranges[(bearings > 0.05) & (bearings < 0.4)]).all()


def test_without_confidence_the_cloud_has_no_such_field(semantic_cloud, probe):
    _, source = semantic_cloud(topics=[POINTS])
    label = source.send_until(has_results(probe, POINTS))
    names = [field.name for field in result_of(probe, POINTS, label).fields]
    assert names == ['x', 'y', 'z', 'rgb', 'label']


def test_depth_in_millimeters_and_labels_of_another_size(semantic_cloud, probe):
    _, source = semantic_cloud(topics=[POINTS])
    depth = np.full((HEIGHT, WIDTH), 2500, np.uint16)
    depth[3, 4] = 0
    labels = np.full((HEIGHT // 2, WIDTH // 2), FLOOR, np.uint8)
    label = source.send_until(has_results(probe, POINTS),
                              lambda: source.frame(labels, depth=depth, encoding='16UC1'))
    points = read_cloud(result_of(probe, POINTS, label))
    assert points.shape == (HEIGHT, WIDTH) and np.isnan(points['x'][3, 4])
    assert points['z'][0, 0] == pytest.approx(2.5) and (points['label'] == FLOOR).all()


def test_depth_is_matched_by_the_nearest_stamp(semantic_cloud, probe):
    _, source = semantic_cloud({'input.max_stamp_difference_ms': 50.0}, topics=[POINTS])

    sent = []

    def step():
        sent.append(source.send(source.frame(delay=0.03))['depth'])
        return probe.poll(lambda: any(result_of(probe, POINTS, depth) for depth in sent), 0.2)

    probe.wait(step, 'points with the stamp of the depth')


def test_with_equal_stamps_other_depth_is_reported(semantic_cloud, probe):
    _, source = semantic_cloud({'input.max_stamp_difference_ms': 0.0}, topics=[POINTS])
    source.send_until(has_results(probe, POINTS))
    rejected(source, probe, lambda: source.frame(delay=0.003),
             'no depth with the stamps of the label images', 'depth of other stamps')
    source.send_until(has_results(probe, POINTS))


def test_missing_inputs_are_named(semantic_cloud, probe):
    _, source = semantic_cloud(topics=[POINTS], inputs=('label', 'label_map'))
    rejected(source, probe, source.frame, 'no camera_info: nobody publishes on /camera_info',
             'no inputs')
    assert 'no depth: nobody publishes on /depth' in probe.status(NODE).message
    source.advertise(['depth', 'camera_info'])
    source.send_until(has_results(probe, POINTS))


def bad_frames(source):
    """Yield (defect, function that makes such a frame, words of the error)."""
    def frame(topic, change, **values):
        def make():
            messages = source.frame(**values)
            change(messages[topic])
            return messages
        return make

    def keep(message):
        pass

    yield 'another encoding', frame('depth', lambda m: setattr(m, 'encoding', 'rgb8')), \
        "depth encoding 'rgb8' is not supported; publish 16UC1"
    yield 'half an image', frame('depth', lambda m: setattr(m, 'data', m.data[:99])), 'truncated'
    yield 'another frame', frame(
        'depth', lambda m: setattr(m.header, 'frame_id', 'depth_optical')), \
        "in frame 'depth_optical', but the labels are in 'front_optical'; register"
    yield 'another aspect ratio', frame('depth', keep, depth=np.ones((90, 90), np.float32)), \
        'another aspect ratio'
    yield 'another shape than the labels', frame(
        'label', keep, labels=np.zeros((90, 90), np.uint8)), 'the label image has 90x90 pixels'
    yield 'an uncalibrated camera', frame(
        'camera_info', lambda m: setattr(m, 'p', [0.0] * 12)), 'is not calibrated'
    strange = np.full((HEIGHT, WIDTH), 9, np.uint8)
    yield 'an id of no class', frame('label', keep, labels=strange), 'has id 9'


def rejected(source, probe, make, words, what):
    """Send frames until the diagnostics report the reason; none may have points."""
    sent = []

    def is_reported():
        sent.append(source.send(make())['label'])
        status = probe.status(NODE)
        return status.level == DiagnosticStatus.WARN and words in status.message

    probe.wait(is_reported, f'the report of {what}')
    probe.spin(0.2)
    assert not any(result_of(probe, POINTS, label) for label in sent)


def test_unusable_frames_are_reported(semantic_cloud, probe):
    # With other stamps, the calibration of the frame before would do.
    node, source = semantic_cloud({'input.max_stamp_difference_ms': 0.0}, topics=[POINTS])
    source.send_until(has_results(probe, POINTS))
    for what, make, words in bad_frames(source):
        rejected(source, probe, make, words, what)
        source.send_until(has_results(probe, POINTS))
    assert node.alive and 'Traceback' not in node.output()


@pytest.mark.parametrize('value', [0.0, np.nan, np.inf])
def test_depth_without_a_measured_pixel_gives_nan_points_and_a_warning(
        semantic_cloud, probe, value):
    _, source = semantic_cloud()
    empty = np.full((HEIGHT, WIDTH), value, np.float32)
    label = source.send_until(has_results(probe, POINTS, OBSTACLES, SCAN),
                              lambda: source.frame(depth=empty))
    assert np.isnan(read_cloud(result_of(probe, POINTS, label))['z']).all()
    assert result_of(probe, OBSTACLES, label).width == 0
    assert np.isnan(result_of(probe, SCAN, label).ranges).all()
    probe.wait(lambda: 'no measured pixel' in probe.status(NODE).message, 'the warning')


def test_ids_of_a_table_are_refused(semantic_cloud, probe):
    _, source = semantic_cloud(topics=[POINTS])
    source.send_until(has_results(probe, POINTS))
    table = label_map(class_space(CAMVID), 'made', probe.node.get_clock().now().to_msg())
    table.classes[0].id = 7
    source.publishers['label_map'].publish(table)
    rejected(source, probe, source.frame, 'has id 7; set output.label_ids', 'ids of a table')
    source.announce()
    source.send_until(has_results(probe, POINTS))


def test_points_are_published_without_obstacles_of_unknown_classes(semantic_cloud, probe):
    _, source = semantic_cloud(topics=[POINTS, OBSTACLES])
    assert probe.set_parameter(NODE, 'obstacles.classes', ['Lawn']).successful
    source.send_until(has_results(probe, POINTS))
    probe.wait(lambda: source.send() and "no class 'Lawn'" in probe.status(NODE).message,
               'the report')
    assert probe.set_parameter(NODE, 'obstacles.classes', ['Box']).successful
    source.send_until(has_results(probe, POINTS, OBSTACLES))


def test_nothing_is_computed_without_subscribers(semantic_cloud, probe):
    _, source = semantic_cloud(topics=[])

    def status():
        source.send()
        return {value.key: value.value for value in probe.status(NODE).values}

    values = probe.wait(lambda: (v := status()) and float(v['label images per second']) and v,
                        'label images')
    assert values['published per second'] == '0.0' and values['pixels with depth in %'] == 'nan'


def test_late_frames_are_dropped(semantic_cloud, probe):
    _, source = semantic_cloud({'latency.budget_ms': 200.0}, topics=[POINTS])
    source.send_until(has_results(probe, POINTS))
    late = source.send(source.frame(age=5.0))['label']
    source.send_until(has_results(probe, POINTS))
    assert not result_of(probe, POINTS, late)


def test_invalid_settings_fail_configure_with_a_reason(start_node, probe):
    node = start_node('semantic_cloud_node', {'obstacles.max_height': 0.1})
    assert not probe.change_state(NODE, Transition.TRANSITION_CONFIGURE)
    assert 'it must be above min_height' in probe.status(NODE).message
    assert 'Traceback' not in node.output()
    assert probe.set_parameter(NODE, 'obstacles.max_height', 2.0).successful
    probe.bring_up(NODE)


def test_the_street_of_the_replay_node(start_node, probe, tmp_path):
    remaps = {'label': '/replay_node/truth', 'depth': '/replay_node/depth',
              'camera_info': '/replay_node/camera_info'}
    start_node('semantic_cloud_node', remaps=remaps)
    source = DepthPublisher(probe, ['label_map'])
    for topic in OUTPUTS:
        probe.subscribe(OUTPUTS[topic], topic)
    probe.bring_up(NODE)
    source.announce(CAMVID)
    with node_process('replay_node', tmp_path / 'replay.log',
                      {'rate_hz': 0.0, 'width': 320, 'height': 240, 'seed': 3}):
        def step():
            probe.call(Trigger, '/replay_node/next', Trigger.Request())
            return probe.poll(lambda: all(probe.received[topic] for topic in OUTPUTS), 0.5)

        probe.wait(step, 'points of the street')
    points = read_cloud(probe.received[POINTS][0])
    sky = points['label'] == CAMVID.id_of('Sky')
    assert np.isnan(points['z'][sky]).all() and np.isfinite(points['z'][~sky]).mean() > 0.9
