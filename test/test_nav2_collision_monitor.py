"""Nav2's collision monitor behind the free space node, and behind the semantic cloud node."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

import depth_publisher
import label_publisher
import nav2
from depth_publisher import DISTANCE, DepthPublisher
from geometry_msgs.msg import Twist, Vector3
from label_publisher import PARAMETERS, has_results, scene_labels
from scenes import BOX, FLOOR, SKY, Block

from enet_ros.labels import CAMVID

MONITOR = '/collision_monitor'
SPEED = 0.3  # m/s
BUDGET = {'latency.budget_ms': 300.0}
ROAD, PEDESTRIAN, SKY_ID = (CAMVID.id_of(name) for name in ('Road', 'Pedestrian', 'Sky'))
AHEAD, BESIDE, FAR_BESIDE = 0.0, 1.5, 9.0  # y of a pedestrian 4 m ahead, meters


def free_space_labels(y):
    """Return the labels of a scene with a pedestrian."""
    scene = scene_labels([Block((4.0, 4.2), (y - 0.3, y + 0.3), (0, 1.7))])
    return np.select([scene == BOX, scene == FLOOR, scene == SKY],
                     [PEDESTRIAN, ROAD, SKY_ID]).astype(np.uint8)


def cloud_labels(y):
    """Return the labels of a pedestrian before a wall of road, at the distance of the depth."""
    labels = np.full((depth_publisher.HEIGHT, depth_publisher.WIDTH), ROAD, np.uint8)
    camera = label_publisher.CALIBRATION.k
    left, right = (max(round(camera[2] - camera[0] * side / DISTANCE), 0)
                   for side in (y + 0.3, y - 0.3))
    labels[:, left:right] = PEDESTRIAN
    return labels


@pytest.fixture(params=['freespace_node', 'semantic_cloud_node'])
def source(request, free_space, probe, start_node):
    """Return a node's source of label images, its labels by y, its topics and the sources."""
    if request.param == 'freespace_node':
        _, publisher = free_space({**PARAMETERS, **BUDGET})
        return (publisher, free_space_labels, (label_publisher.SCAN, label_publisher.POINTS),
                '[scan, points]')
    start_node('semantic_cloud_node', {**depth_publisher.PARAMETERS, **BUDGET})
    publisher = DepthPublisher(probe)
    topics = depth_publisher.SCAN, depth_publisher.OBSTACLES
    for topic in topics:
        probe.subscribe(depth_publisher.OUTPUTS[topic], topic)
    probe.bring_up(depth_publisher.NODE)
    publisher.wait_for_node()
    return publisher, cloud_labels, topics, '[obstacle_scan, obstacles]'


@pytest.fixture
def drive(source, probe, start_node):
    """Return a function that sends commands to the monitor until it lets a speed through.

    It returns what the monitor names as the reason.
    """
    program = nav2.executable('nav2_collision_monitor', 'collision_monitor')
    messages = pytest.importorskip('nav2_msgs.msg', reason='needs nav2_msgs')
    publisher, labels_of, topics, sources = source
    publisher.announce(CAMVID)
    transforms = nav2.publish_transform(probe, 'odom', 'base_link')
    probe.subscribe(messages.CollisionMonitorState, '/collision_monitor_state')
    probe.subscribe(Twist, '/cmd_vel')
    commands = probe.node.create_publisher(Twist, '/cmd_vel_smoothed', 1)
    start_node(program, {'enable_stamped_cmd_vel': False, 'observation_sources': sources},
               params_file=nav2.CONFIG / 'collision_monitor.yaml')
    nav2.bring_up(probe, MONITOR)
    publisher.send_until(has_results(probe, *topics),
                         lambda: publisher.frame(labels_of(FAR_BESIDE)))
    speeds = probe.received['/cmd_vel']

    def drive(y, speed):
        def step():
            if y is not None:
                publisher.send(publisher.frame(labels_of(y)))
            commands.publish(Twist(linear=Vector3(x=SPEED)))
            probe.poll(lambda: False, 0.1)
            return speeds and speeds[-1].linear.x == speed

        del speeds[:]
        probe.wait(step, f'command of {speed} m/s')
        return [state.polygon_name for state in probe.received['/collision_monitor_state']][-1:]

    yield drive
    probe.node.destroy_publisher(transforms)


def test_the_monitor_stops_for_a_pedestrian_and_without_results(drive):
    drive(FAR_BESIDE, SPEED)
    assert drive(AHEAD, 0.0) == ['stop_zone']
    drive(BESIDE, SPEED)
    assert drive(None, 0.0) == ['invalid source']
