"""Score Nav2's costmaps behind the nodes against the ground truth of a synthetic street.

    scripts/run python benchmarks/nav2_costmaps.py --out costmaps

Needs an installed Nav2 (nav2_costmap_2d, and semantic_segmentation_layer for the semantic
costmaps). Starts the nodes and one costmap for each file of config/nav2, and one that takes the
points of the semantic layer from a depth camera. The robot stands, and sees one frame of the
street for some seconds, until the costmaps hold nothing else. Prints a table, and writes
pictures of the labels and costmaps with the truth drawn over them.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from costmap_picture import draw_sheet
from costmap_score import COLUMNS, CellTruth, Costmap, CostmapScore
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from rclpy.publisher import Publisher
from rig import RESPONSE_TIMEOUT, DemoFailure, Rig, open_rig, print_table, report_progress
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from std_msgs.msg import Header

from enet_ros.evaluation.freespace_score import FIRST_SEED, FRAME_STEP, NEAR_RANGE
from enet_ros.freespace.nav2_config import costmap_yaml
from enet_ros.freespace.pose import Pose
from enet_ros.images.contact_sheet import write_sheet
from enet_ros.label_space.space import class_space
from enet_ros.labels import CAMVID
from enet_ros.ros import cloud_stream, label_stream
from enet_ros.ros.convert import array_to_image, camera_info_from_pinhole, image_to_plane
from enet_ros.ros.demo.waiting_node import LATCHED_QOS, QOS
from enet_ros.ros.messages import label_info, label_map
from enet_ros.ros.parameter_file import read_parameter_file
from enet_ros.synthetic.street import StreetFrame, SyntheticStreet
from enet_ros.synthetic.truth import StreetTruth

CONFIG = Path(__file__).resolve().parents[1] / 'config' / 'nav2'
SEGMENTATION, FREE_SPACE, CLOUD = 'segmentation_node', 'freespace_node', 'semantic_cloud_node'
BASE, ODOM, OPTICAL = 'base_link', 'odom', 'camera_optical_frame'
SEMANTIC_LAYER = 'semantic_segmentation_layer'
DEPTH_COSTMAP = 'semantic_layer_depth'
COSTMAPS = 'semantic_layer', DEPTH_COSTMAP, 'scan_layer', 'grid_layer'
RATE_HZ = 1.0         # of the frames; at a higher one the semantic layers may fall behind
PUBLISH_RATE_HZ = 5.0  # of the costmaps
SETTLING_TIME = 4.0  # seconds; longer than the semantic layer keeps observations
UPDATES = 4          # of a costmap, after which it holds what is seen now


class Inputs:
    """Publishes the frames of a street, as images of a camera or as exact labels, and depth."""

    def __init__(self, rig: Rig, street: SyntheticStreet, exact: bool) -> None:
        self.rig, self.street, self.exact = rig, street, exact
        source = SEGMENTATION if exact else 'camera'
        topics = {'label': Image, 'confidence': Image} if exact else {'image': Image}
        self.publishers: dict[str, Publisher] = {
            topic: rig.create_publisher(kind, f'/{source}/{topic}', QOS)
            for topic, kind in (topics | {'camera_info': CameraInfo}).items()}
        self.publishers['depth'] = rig.create_publisher(Image, '/camera/depth', QOS)
        if exact:
            self._announce()

    def send(self, frame: StreetFrame) -> None:
        """Publish a frame with the current time."""
        header = Header(frame_id=OPTICAL, stamp=self.rig.get_clock().now().to_msg())
        assert frame.depth is not None
        messages = {'camera_info': camera_info_from_pinhole(self.street.camera, header),
                    'depth': array_to_image(frame.depth, '32FC1', header)}
        if self.exact:
            certain = np.full_like(frame.labels, 255)
            messages |= {'label': array_to_image(frame.labels, 'mono8', header),
                         'confidence': array_to_image(certain, 'mono8', header)}
        else:
            messages['image'] = array_to_image(frame.image, 'rgb8', header)
        for topic, publisher in self.publishers.items():
            if topic in messages:
                publisher.publish(messages[topic])

    def _announce(self) -> None:
        """Publish what the labels mean, as the segmentation node does."""
        space, stamp = class_space(CAMVID), self.rig.get_clock().now().to_msg()
        for topic, message in (('label_map', label_map(space, 'exact labels', stamp)),
                               ('label_info', label_info(space, 0.0, stamp))):
            publisher = self.rig.create_publisher(
                type(message), f'/{SEGMENTATION}/{topic}', LATCHED_QOS)
            publisher.publish(message)
            self.publishers[topic] = publisher


class CostmapReceiver:
    """Keeps the newest costmap, counts its updates, and clears it."""

    def __init__(self, rig: Rig, name: str) -> None:
        from nav2_msgs import msg, srv
        self.rig, self.name = rig, name
        self.newest: Costmap
        self.updates = 0  # since it was cleared
        self._request = srv.ClearEntireCostmap.Request()
        self._client = rig.create_client(srv.ClearEntireCostmap,
                                         f'/{name}/clear_entirely_costmap')
        rig.create_subscription(msg.Costmap, f'/{name}/costmap_raw', self._store, LATCHED_QOS)

    def clear(self) -> None:
        """Remove all costs."""
        if not self.rig.wait(self._client.service_is_ready, RESPONSE_TIMEOUT):
            raise DemoFailure(f'{self.name} cannot be cleared')
        for _ in range(round(RESPONSE_TIMEOUT)):  # the first responses may be lost
            if self.rig.wait(self._client.call_async(self._request).done, 1.0):
                self.updates = 0
                return
        raise DemoFailure(f'{self.name} was not cleared within {RESPONSE_TIMEOUT:.0f} s')

    def _store(self, message: Any) -> None:
        info, costs = message.metadata, np.frombuffer(message.data, np.uint8)
        self.updates += 1
        column, row = np.arange(info.size_x), np.arange(info.size_y)[:, None]
        self.newest = Costmap(costs.reshape(info.size_y, info.size_x).copy(),
                              info.origin.position.x + info.resolution * (column + 0.5),
                              info.origin.position.y + info.resolution * (row + 0.5),
                              info.resolution)


def costmap_program() -> str:
    """Return the executable of Nav2's costmap; exit with the remedy if it is not installed."""
    try:
        return f'{get_package_prefix("nav2_costmap_2d")}/lib/nav2_costmap_2d/nav2_costmap_2d'
    except PackageNotFoundError:
        sys.exit('this needs nav2_costmap_2d, which is not among the wheels; install Nav2 '
                 '(ros-$ROS_DISTRO-nav2-costmap-2d) and source it')


def installed(names: Sequence[str]) -> list[str]:
    """Return the costmaps that can run here."""
    try:
        get_package_prefix(SEMANTIC_LAYER)
    except PackageNotFoundError:
        print(f'without the semantic costmaps, which need {SEMANTIC_LAYER}', file=sys.stderr)
        return [name for name in names if not name.startswith('semantic')]
    return list(names)


def start_nodes(rig: Rig, street: SyntheticStreet, model: str) -> None:
    """Start and activate the nodes; model: that of the segmentation node, '' if there is none."""
    pose = {'camera.z': street.camera.height_m, 'camera.pitch': street.camera.pitch}
    if model:
        rig.start(SEGMENTATION, parameters={'model.path': model}, topics={
            topic: f'/camera/{topic}' for topic in ('image', 'camera_info')})
    topics = {topic: f'/{SEGMENTATION}/{topic}' for topic in label_stream.INPUTS}
    rig.start(FREE_SPACE, parameters=pose, topics=topics)
    topics = {topic: f'/{SEGMENTATION}/{topic}' for topic in cloud_stream.INPUTS}
    rig.start(CLOUD, parameters=pose, topics=topics | {'depth': '/camera/depth'})
    for node in ([SEGMENTATION] if model else []) + [FREE_SPACE, CLOUD]:
        rig.bring_up(node)


def publish_transforms(rig: Rig, street: SyntheticStreet) -> Publisher:
    """Publish where the robot and its camera are, for subscribers at any time."""
    from tf2_msgs.msg import TFMessage
    camera = street.camera
    rotation = Pose.from_angles(0, 0, camera.height_m, 0, camera.pitch, 0).rotation
    publisher = rig.create_publisher(TFMessage, '/tf_static', LATCHED_QOS)
    publisher.publish(TFMessage(transforms=[
        transform(ODOM, BASE, 0.0, np.eye(3)),
        transform(BASE, OPTICAL, camera.height_m, rotation)]))
    return publisher


def transform(parent: str, child: str, z: float,
              rotation: NDArray[np.floating]) -> TransformStamped:
    """Return the transform of a frame above another; rotation (3, 3)."""
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.transform.translation.z = float(z)
    w = np.sqrt(max(1 + np.trace(rotation), 0)) / 2
    parts = [(rotation[2, 1] - rotation[1, 2]), (rotation[0, 2] - rotation[2, 0]),
             (rotation[1, 0] - rotation[0, 1])]
    (message.transform.rotation.x, message.transform.rotation.y,
     message.transform.rotation.z) = (float(part / (4 * w)) for part in parts)
    message.transform.rotation.w = float(w)
    return message


def costmap_parameters(name: str, folder: Path, range_min: float) -> dict[str, object]:
    """Return the parameters of a costmap's file, at a rate that suits the measurement."""
    file = CONFIG / f'{name}.yaml'
    if name == DEPTH_COSTMAP:
        file = folder / file.name
        file.write_text(costmap_yaml('exact labels', CAMVID, points=f'/{CLOUD}/points'))
    parameters: dict[str, object] = {**read_parameter_file(file, 'local_costmap', 'local_costmap')}
    if name == 'scan_layer':  # as the file demands
        parameters['obstacle_layer.scan.raytrace_min_range'] = range_min
    return parameters | {'always_send_full_costmap': True, 'publish_frequency': PUBLISH_RATE_HZ}


def repeat(rig: Rig, inputs: Inputs, frame: StreetFrame, seconds: float) -> None:
    """Send a frame again and again."""
    for _ in range(round(seconds * RATE_HZ)):
        inputs.send(frame)
        rig.pause(1 / RATE_HZ)


def wait_for_updates(rig: Rig, inputs: Inputs, frame: StreetFrame,
                     receivers: Mapping[str, CostmapReceiver]) -> None:
    """Send a frame until all costmaps were updated several times."""
    end = time.monotonic() + RESPONSE_TIMEOUT
    while late := [name for name, each in receivers.items() if each.updates < UPDATES]:
        if time.monotonic() > end:
            raise DemoFailure(f'no costmap {late[0]} within {RESPONSE_TIMEOUT:.0f} s')
        repeat(rig, inputs, frame, 1 / RATE_HZ)


def measure_range_min(rig: Rig, inputs: Inputs, frame: StreetFrame) -> float:
    """Return the range at which the scan begins, in meters."""
    scans: list[LaserScan] = []
    subscription = rig.create_subscription(LaserScan, f'/{FREE_SPACE}/scan', scans.append, QOS)
    for _ in range(round(RESPONSE_TIMEOUT)):
        repeat(rig, inputs, frame, 1.0)
        if scans:
            rig.destroy_subscription(subscription)
            return float(scans[-1].range_min)
    raise DemoFailure(f'no scan within {RESPONSE_TIMEOUT:.0f} s')


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seed', type=int, default=FIRST_SEED, help='of the street')
    parser.add_argument('--frames', type=int, default=8)
    parser.add_argument('--model', default='enet_camvid', help='of the segmentation node')
    parser.add_argument('--exact', action='store_true',
                        help="use the street's labels in place of a model's")
    parser.add_argument('--costmaps', nargs='+', choices=COSTMAPS, default=COSTMAPS)
    parser.add_argument('--out', type=Path, help='folder of the pictures; without it there are '
                        'none')
    options = parser.parse_args()
    program = costmap_program()
    street = SyntheticStreet(640, 360, options.seed)
    names = installed(options.costmaps)
    scores = {name: CostmapScore() for name in names}
    with open_rig() as rig:
        transforms = publish_transforms(rig, street)
        start_nodes(rig, street, '' if options.exact else options.model)
        inputs = Inputs(rig, street, options.exact)
        newest: dict[str, Image] = {}
        rig.create_subscription(Image, f'/{SEGMENTATION}/label',
                                partial(newest.__setitem__, 'label'), QOS)
        range_min = measure_range_min(rig, inputs, street.render(0, with_depth=True))
        receivers = {}
        for name in names:
            rig.start(program, name, costmap_parameters(name, rig.folder, range_min),
                      {'__ns': f'/{name}'})
            rig.bring_up(f'{name}/{name}')
            receivers[name] = CostmapReceiver(rig, name)
        truth = StreetTruth(street)
        for index in range(5, 5 + FRAME_STEP * options.frames, FRAME_STEP):
            report_progress(f'frame {index}')
            frame = street.render(index, with_depth=True)
            repeat(rig, inputs, frame, SETTLING_TIME)
            for receiver in receivers.values():
                receiver.clear()
            wait_for_updates(rig, inputs, frame, receivers)
            for name, receiver in receivers.items():
                cells = CellTruth.of(truth, index, receiver.newest)
                scores[name].add(receiver.newest, cells)
                if options.out:
                    options.out.mkdir(parents=True, exist_ok=True)
                    write_sheet(options.out / f'{name}_{index}.png', draw_sheet(
                        f'{name}, street {options.seed}, frame {index}',
                        image_to_plane(newest['label']), receiver.newest, cells))
        rig.destroy_publisher(transforms)
    print(f'{options.frames} frames of street {options.seed}, labels of '
          f'{"the street" if options.exact else options.model}, cells within {NEAR_RANGE:g} m; '
          f'the scan begins at {range_min:.2f} m\n')
    print_table(('costmap', *COLUMNS), [(name, *score.row()) for name, score in scores.items()])


if __name__ == '__main__':
    main()
