"""Run a depth camera, segmentation node and semantic cloud node, each in its own process.

The depth camera is the replay node with the synthetic street, whose truth scores the result.
"""

import argparse
import sys
from functools import partial

import numpy as np
from numpy.typing import NDArray

from enet_ros.errors import BadInput
from enet_ros.evaluation.cloud_figure import draw_from_above, draw_from_behind, point_colors
from enet_ros.evaluation.cloud_truth import CloudCounts, CloudTruth, positions
from enet_ros.evaluation.freespace_score import FIRST_SEED
from enet_ros.images.contact_sheet import contact_sheet, write_sheet
from enet_ros.labels import CAMVID
from enet_ros.paths import OutputFolder
from enet_ros.pointcloud.config import ObstaclesConfig
from enet_ros.ros.demo.cloud_receiver import CloudMessages, CloudReceiver
from enet_ros.ros.demo.supervisor import Supervisor, supervise
from enet_ros.ros.demo.waiting_node import CAMERA, SEGMENTER
from enet_ros.synthetic.street import SyntheticStreet

SAMPLES = 3  # frames in the picture
SCAN_HEIGHT = 0.5  # meters, at which the picture shows the scan
SHEET_WIDTH = 1320  # pixels

Row = list[tuple[str, NDArray[np.uint8]]]


def check_model(path: str) -> None:
    """Raise BadInput if a model has other classes than the street."""
    from enet_ros.models.loading import read_model_spec  # takes seconds, like torch
    if read_model_spec(path).labels.names != CAMVID.names:
        raise BadInput(f'model {path} has other classes than the synthetic street; choose one '
                       'with the classes of CamVid')


def start_nodes(options: argparse.Namespace, street: SyntheticStreet,
                supervisor: Supervisor) -> None:
    """Start the three nodes with the pose of the street's camera, and activate them."""
    out = OutputFolder(options.out).path
    camera = street.camera
    supervisor.status.step('starting replay_node, segmentation_node and semantic_cloud_node')
    supervisor.start('replay_node', {
        'source': 'synthetic', 'rate_hz': 0.0, 'loop': False, 'width': camera.width,
        'height': camera.height, 'seed': street.seed}, [], out)
    model = {'model.path': options.model} if options.model else {}
    supervisor.start(
        'segmentation_node',
        {**model, 'input.width': camera.width, 'input.height': camera.height},
        [f'image:={CAMERA}/image', f'camera_info:={CAMERA}/camera_info'], out)
    labels = [f'{name}:={SEGMENTER}/{name}' for name in ('label', 'label_map', 'camera_info')]
    supervisor.start(
        'semantic_cloud_node',
        {'camera.z': float(camera.height_m), 'camera.pitch': float(camera.pitch)},
        [*labels, f'depth:={CAMERA}/depth'], out)
    supervisor.bring_up('segmentation_node')
    supervisor.bring_up('semantic_cloud_node')


def sample_row(frame: CloudMessages, truth: CloudTruth) -> Row:
    """Return the captions and pictures of one frame."""
    points = truth.in_base(positions(frame.points)).reshape(-1, 3)
    colors = point_colors(frame.points).reshape(-1, 3)
    return [('camera and classes', frame.overlay),
            ('labeled points; red: scan', draw_from_behind(
                points, colors, frame.ranges, frame.bearings, SCAN_HEIGHT)),
            ('obstacles and scan (red); white: free; blue: true surfaces', draw_from_above(
                frame.obstacles, frame.ranges, frame.bearings, frame.range_max,
                truth.surfaces.surfaces))]


def run(options: argparse.Namespace, supervisor: Supervisor) -> int:
    """Start everything, print the scores and write the picture; return 0."""
    if options.frames < 1:
        raise BadInput(f'--frames is {options.frames}; it must be 1 or more')
    if options.model:
        check_model(options.model)
    street = SyntheticStreet(options.width, options.height, options.seed)
    start_nodes(options, street, supervisor)
    receiver, counts, rows = CloudReceiver(supervisor), CloudCounts(), list[Row]()
    supervisor.status.step('waiting for the first labeled points')
    receiver.get_ready()
    latencies = []
    samples = min(SAMPLES, options.frames)
    sampled = {options.frames * (2 * sample + 1) // (2 * samples) for sample in range(samples)}
    for index in range(options.frames):
        frame = receiver.next_frame()
        truth = CloudTruth(street, index, ObstaclesConfig())
        counts.add(truth, frame.points, frame.obstacles)
        counts.add_scan(truth, frame.ranges, frame.bearings, frame.range_max)
        latencies.append(1e3 * frame.latency)
        if index in sampled:
            rows.append(sample_row(frame, truth))
        supervisor.status.update(f'frame {index + 1} of {options.frames}')
    supervisor.status.clear()
    p50, p95 = np.percentile(latencies, (50, 95))
    print(f'latency    p50 {p50:.0f} ms, p95 {p95:.0f} ms (points received - stamp of the image)')
    print(*counts.report(), sep='\n')
    path = OutputFolder(options.out).path / 'semantic_cloud.png'
    write_sheet(path, contact_sheet('enet_ros: labeled points of a depth camera', rows, CAMVID,
                                    SHEET_WIDTH))
    print(f'picture    {path}')
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='demo_cloud', description='Label the points of a simulated depth camera through '
        'ROS 2 nodes, and score them against the synthetic street.')
    parser.add_argument('--frames', type=int, default=60, help='number of frames (default 60)')
    parser.add_argument('--seed', type=int, default=FIRST_SEED,
                        help='of the street (default: one that training never used)')
    parser.add_argument('--out', default='demo_output',
                        help='folder for the picture and logs (default demo_output)')
    parser.add_argument('--model', default='',
                        help="a model with CamVid's classes (default: the node's)")
    parser.add_argument('--width', type=int, default=640, help='of images and network, pixels')
    parser.add_argument('--height', type=int, default=480, help='of images and network, pixels')
    parser.add_argument('--domain', type=int,
                        help="ROS_DOMAIN_ID; default: one that is not the robot's")
    return parser.parse_args(arguments)


def main() -> int:
    options = parse(sys.argv[1:])
    return supervise('demo_cloud', options.domain, partial(run, options))
