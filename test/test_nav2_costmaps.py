"""Nav2's costmap with the files of config/nav2, behind the free space node."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

import nav2
from label_publisher import PARAMETERS, scene_labels
from nodes import LATCHED
from scenes import BOX, FLOOR, SKY

from enet_ros.label_space.space import class_space
from enet_ros.labels import CAMVID
from enet_ros.ros.messages import label_info

COSTMAP = '/local_costmap/local_costmap'
REMAPS = {'__node': 'local_costmap', '__ns': '/local_costmap',
          **{f'/segmentation_node/{name}': f'/{name}'
             for name in ('label', 'confidence', 'label_info')}}
NO_COST, LETHAL, UNKNOWN = 0, 254, 255
BEFORE, BEHIND = 3.0, 6.0  # x in meters
WALL = np.arange(3.75, 4.4, 0.05)
LABELS = np.select([scene_labels() == label for label in (FLOOR, BOX, SKY)],
                   [CAMVID.id_of(name) for name in ('Road', 'Car', 'Sky')]).astype(np.uint8)


def costs(message, x):
    """Return the costs of the cells at x (meters) straight ahead."""
    info = message.metadata
    column = ((np.atleast_1d(x) - info.origin.position.x) / info.resolution).astype(int)
    row = int(-info.origin.position.y / info.resolution)
    return np.reshape(message.data, (info.size_y, info.size_x))[row, column].tolist()


@pytest.fixture
def announce(probe):
    """Publish the label_info of CamVid for the semantic layer."""
    pytest.importorskip('vision_msgs', reason='needs vision_msgs')
    message = label_info(class_space(CAMVID), 0.0, probe.node.get_clock().now().to_msg())
    publisher = probe.node.create_publisher(type(message), '/label_info', LATCHED)
    publisher.publish(message)
    yield
    probe.node.destroy_publisher(publisher)


@pytest.mark.parametrize('file', ['scan_layer.yaml', 'grid_layer.yaml', 'semantic_layer.yaml'])
def test_a_wall_is_lethal_and_hides_the_ground_behind_it(free_space, probe, start_node, request,
                                                         file):
    program = nav2.executable('nav2_costmap_2d')
    messages = pytest.importorskip('nav2_msgs.msg', reason='needs nav2_msgs')
    if file == 'semantic_layer.yaml':
        nav2.need_package('semantic_segmentation_layer')
        request.getfixturevalue('announce')
    _, publisher = free_space(PARAMETERS)
    publisher.announce(CAMVID)
    transforms = nav2.publish_transform(probe, 'odom', 'base_link')
    log = start_node(program, {
        'publish_frequency': 5.0, 'always_send_full_costmap': True,
        # The camera of this scene sees the ground from there on.
        'obstacle_layer.scan.raytrace_min_range': 1.5,
    }, remaps=REMAPS, params_file=nav2.CONFIG / file)
    nav2.bring_up(probe, COSTMAP)
    topic = '/local_costmap/costmap_raw'
    probe.subscribe(messages.Costmap, topic, LATCHED)
    costmaps = probe.received[topic]

    def is_complete(label):
        return costmaps and (costs(costmaps[-1], [BEFORE, BEHIND]) == [NO_COST, UNKNOWN]
                             and LETHAL in costs(costmaps[-1], WALL))

    publisher.send_until(is_complete, lambda: publisher.frame(LABELS))
    assert 'ERROR' not in log.output()
    probe.node.destroy_publisher(transforms)
