"""Run the whole pipeline once: camera, segmentation node and client, each in its own process."""

import argparse
import sys
from functools import partial
from pathlib import Path

from enet_ros.images.open_source import open_source
from enet_ros.paths import OutputFolder
from enet_ros.ros.demo.supervisor import Supervisor, supervise
from enet_ros.ros.demo.waiting_node import CAMERA

SYNTHETIC_SIZE = 640, 360  # pixels, of the street and of the network that sees it
ENDLESS_FRAMES = 100


def run(options: argparse.Namespace, supervisor: Supervisor) -> int:
    """Start everything and wait for the client; return its exit code."""
    synthetic = options.source == 'synthetic'
    source = open_source(options.source)
    source.close()
    labeled = source.labeled
    frames = options.frames or source.length or ENDLESS_FRAMES
    width, height = SYNTHETIC_SIZE if synthetic else (0, 0)
    if options.model:
        from enet_ros.labels import CAMVID
        from enet_ros.models.loading import read_model_spec  # takes seconds, like torch
        from enet_ros.models.onnx_spec import OnnxSpec
        spec = read_model_spec(options.model)
        if isinstance(spec, OnnxSpec):  # which may take its own size only
            width, height = 0, 0
        if synthetic:  # whose ground truth has the classes of CamVid
            labeled = spec.labels.names == CAMVID.names
    width, height = options.width or width, options.height or height
    out = OutputFolder(options.out).path

    supervisor.status.step('starting replay_node and segmentation_node')
    supervisor.start('replay_node', {
        'source': options.source, 'rate_hz': 0.0, 'loop': False,
        'width': SYNTHETIC_SIZE[0], 'height': SYNTHETIC_SIZE[1]}, [], out)
    model = {'model.path': options.model} if options.model else {}
    supervisor.start('segmentation_node', {
        **model, 'input.width': width, 'input.height': height},
        [f'image:={CAMERA}/image', f'camera_info:={CAMERA}/camera_info'], out)
    supervisor.bring_up('segmentation_node')
    return supervisor.run_client('demo_client', [
        '--frames', str(frames), '--rate', str(options.rate),
        '--sheet', str(out / 'contact_sheet.png'),
        '--title', f'enet_ros: {options.source}',
        *(['--one-by-one'] if source.files else []),
        *(['--calibrated'] if source.camera is not None else []),
        *(['--labeled'] if labeled else [])])


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='demo', description='Segment a camera through ROS 2 nodes and check the result.')
    parser.add_argument('--source', default='synthetic',
                        help='synthetic, an image, a folder, a video, a rosbag2, a camera index')
    parser.add_argument('--frames', type=int, default=0,
                        help='number of frames; default: all, or 100 of an endless source')
    parser.add_argument('--rate', type=float, default=10.0,
                        help='frames per second of a video or camera (default 10)')
    parser.add_argument('--out', type=Path, default=Path('demo_output'),
                        help='folder for the contact sheet and logs (default demo_output)')
    parser.add_argument('--model', default='',
                        help='a shipped model, or a .safetensors or .onnx file')
    parser.add_argument('--width', type=int, default=0, help='of the network, pixels')
    parser.add_argument('--height', type=int, default=0, help='of the network, pixels')
    parser.add_argument('--domain', type=int,
                        help="ROS_DOMAIN_ID; default: one that is not the robot's")
    return parser.parse_args(arguments)


def main() -> int:
    options = parse(sys.argv[1:])
    return supervise('demo', options.domain, partial(run, options))
