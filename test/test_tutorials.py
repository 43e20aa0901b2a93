"""The tutorials: own classes from labeled images to the node, and the parameter files."""

from dataclasses import replace
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
import yaml

pytest.importorskip('rclpy', reason='needs ROS 2')

from camera import Camera, result_of
from doc_blocks import ROOT, run_page, write_files
from enet_ros.msg import LabelMap
from nodes import LATCHED
from rclpy.node import Node
from sample_data import write
from sensor_msgs.msg import Image

from enet_ros.config import LatencyConfig, SegmentationConfig
from enet_ros.data.streets import SyntheticFrames
from enet_ros.images.files import read_labels
from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint
from enet_ros.ros.convert import array_to_image, image_to_plane
from enet_ros.ros.parameters import Parameters

TUTORIALS = ROOT / 'docs/tutorials'
NODE = '/segmentation_node'
# The tutorial's classes of the synthetic street's; everything else is `other`.
CLASS_OF = {'Road': 'road', 'Pavement': 'sidewalk', 'Pedestrian': 'person', 'Car': 'vehicle'}


def label_images(folder):
    """Write 16 and 4 camera images and their labels in colors, as annotation tools do."""
    write_files(TUTORIALS / 'own_classes.md', folder)
    colors = {entry['name']: entry['color']
              for entry in yaml.safe_load((folder / 'campus.yaml').read_text())['classes']}
    palette = np.zeros((256, 3), np.uint8)  # unlabeled pixels are black
    palette[:len(CAMVID)] = [colors[CLASS_OF.get(name, 'other')] for name in CAMVID.names]
    for number, (image, labels) in enumerate(SyntheticFrames(160, 90, 7, 20)):
        split = 'train' if number < 16 else 'val'
        write(folder / f'images/{split}/{number}.jpg', image[..., ::-1])
        write(folder / f'labels/{split}/{number}.png', palette[labels][..., ::-1])


@pytest.mark.skipif(not find_spec('lightning_fabric') or not find_spec('matplotlib'),
                    reason="needs pip install '.[train]'")
def test_own_classes_from_labels_to_the_node(tmp_path, monkeypatch, start_node, probe):
    monkeypatch.chdir(tmp_path)
    label_images(tmp_path)
    run_page(TUTORIALS / 'own_classes.md')

    labels = checkpoint.read_spec('campus.safetensors').labels
    assert labels.names == ['sidewalk', 'road', 'person', 'vehicle', 'other']
    assert (tmp_path / 'report/report.json').is_file()
    segmented = read_labels('results/label/16.png', labels)
    assert len(np.unique(segmented)) > 1

    # The same settings as those of the commands in doc_blocks.py.
    start_node('segmentation_node', {
        'model.path': tmp_path / 'campus.safetensors', 'model.engine': 'torch',
        'input.width': 64, 'input.height': 48})
    probe.subscribe(Image, f'{NODE}/label')
    probe.subscribe(LabelMap, f'{NODE}/label_map', LATCHED)
    probe.bring_up(NODE)
    camera = Camera(probe)
    camera.wait_for_node()
    pixels = cv2.imread('images/val/16.jpg')
    sent = camera.send_until(
        lambda message: result_of(probe, f'{NODE}/label', message),
        lambda: array_to_image(pixels, 'bgr8', camera.header()))
    published = image_to_plane(result_of(probe, f'{NODE}/label', sent))
    assert published.shape == segmented.shape and np.mean(published == segmented) > 0.999
    label_map = probe.wait(lambda: probe.received[f'{NODE}/label_map'], 'label map')[0]
    assert [entry.name for entry in label_map.classes] == labels.names
    assert [entry.name for entry in label_map.classes if entry.drivable] == ['sidewalk']


def test_the_parameter_files_are_accepted(tmp_path, local_node):
    write_files(TUTORIALS / 'latency.md', tmp_path)

    def config(file):
        node = local_node(Node, cli_args=['--ros-args', '--params-file', str(tmp_path / file)])
        return Parameters(node, SegmentationConfig).read()

    latency = LatencyConfig(budget_ms=100.0, reserve_ms=10.0)
    assert config('latency.yaml').latency == latency
    assert config('adaptive.yaml').latency == replace(
        latency, adaptive=True, sizes=('640x360', '480x272', '320x184'))
    assert config('cameras.yaml').cameras == ('front', 'left')
