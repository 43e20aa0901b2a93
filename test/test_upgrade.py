"""Files of version 0.1.0: they are read, or refused with what to write instead.

The samples in test/upgrade are those of version 0.1.0 without comments; of the checkpoint's
metadata, some of the training and metrics are left out.
"""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from enet_ros.config import SegmentationConfig
from enet_ros.engines.cache import load_or_build
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint
from enet_ros.segmenter import Segmenter
from enet_ros.training.recipe import load_recipe
from enet_ros.training.run_state import read_state

SAMPLES = Path(__file__).parent / 'upgrade'
METADATA = (SAMPLES / 'checkpoint_0.1.0.json').read_text()
# SHA-256 of the sorted lines `name shape` of the float16 tensors in a checkpoint of version 0.1.0.
TENSORS = '59f3a73824f9a2b098ab728aa745b2fe5e2f725da2884be3d24a54ca0e294165'
RENAMED_ENTRIES = {'normalisation': 'normalization', 'iou_share': 'iou_weight',
                   'encoder_share': 'encoder_weight', 'drop_out': 'dropout'}
RENAMED_PARAMETERS = {
    'camera.longest_jump': 'camera.max_jump', 'classes.usual_flat': 'classes.default_flat',
    'classes.bodies': 'classes.overhanging', 'fusion.taken': 'fusion.hit',
    'fusion.free': 'fusion.miss', 'fusion.limit': 'fusion.max_log_odds',
    'fusion.decided': 'fusion.occupied_threshold', 'fusion.longest_step': 'fusion.max_step'}


@pytest.fixture(scope='module')
def old_checkpoint(tmp_path_factory):
    """Return the path of a checkpoint with random weights in the format of version 0.1.0."""
    torch.manual_seed(2)
    network = checkpoint.ModelSpec(CAMVID).build()
    weights = {name: value.to(torch.float16)
               for name, value in checkpoint.floating_point(network).items()}
    lines = ''.join(f'{name} {"x".join(map(str, value.shape))}\n'
                    for name, value in sorted(weights.items()))
    assert hashlib.sha256(lines.encode()).hexdigest() == TENSORS
    path = tmp_path_factory.mktemp('old') / 'enet.safetensors'
    save_file(weights, path, {'enet_ros': METADATA})
    return path


def test_a_checkpoint_is_read(old_checkpoint):
    network, spec = checkpoint.load(old_checkpoint)
    assert spec.license == json.loads(METADATA)['licence'] != ''
    assert spec.labels == CAMVID and (spec.width, spec.height) == (480, 360)
    assert spec.temperature == 1 and spec.training['fifth']['iou_share'] == 2.0
    segmenter = Segmenter(network, spec, engine='torch', device='cpu', precision='float32',
                          width=64, height=48)
    assert segmenter(np.zeros((48, 64, 3), np.uint8), confidence=True).labels.shape == (48, 64)


def test_a_checkpoint_that_is_written_again_has_the_names_of_this_version(old_checkpoint,
                                                                          tmp_path):
    network, spec = checkpoint.load(old_checkpoint)
    checkpoint.save(tmp_path / 'new.safetensors', network, spec)
    again = checkpoint.read_spec(tmp_path / 'new.safetensors')
    assert again == spec and '"licence"' not in again.to_json()


def test_a_checkpoint_of_a_later_format_names_the_remedy(tmp_path):
    later = json.dumps({**json.loads(METADATA), 'format_version': 2})
    save_file({'x': torch.zeros(1)}, tmp_path / 'later.safetensors', {'enet_ros': later})
    with pytest.raises(BadInput, match='format version 2 cannot be read.*install a release'):
        checkpoint.read_spec(tmp_path / 'later.safetensors')


def test_a_recipe_is_refused_with_the_new_names_until_it_has_them(tmp_path):
    path, text = tmp_path / 'recipe.yaml', (SAMPLES / 'recipe_0.1.0.yaml').read_text()
    replaced = {}
    for _ in RENAMED_ENTRIES:
        path.write_text(text)
        with pytest.raises(BadInput) as caught:
            load_recipe(path)
        old, new = re.search(r"entry '(\w+)' of earlier versions is '(\w+)' now",
                             str(caught.value)).groups()
        replaced[old] = new
        text = text.replace(f'{old}:', f'{new}:')
    assert replaced == RENAMED_ENTRIES
    path.write_text(text)
    recipe = load_recipe(path)
    assert recipe.iou_weight == 1.0 and recipe.dropout and recipe.batch_size == 8


def test_the_parameters_of_a_file_are_known_or_named_with_their_new_names():
    pytest.importorskip('rclpy', reason='needs ROS 2')
    from enet_ros.ros.parameter_file import read_parameter_file
    from enet_ros.ros.parameter_names import leaf_fields, unknown_parameters
    path = SAMPLES / 'parameters_0.1.0.yaml'
    values = {node: read_parameter_file(path, node)
              for node in ('segmentation_node', 'freespace_node')}
    assert unknown_parameters(values['segmentation_node']) == []
    assert sorted(unknown_parameters(values['freespace_node'])) == sorted(
        f'parameter {old} does not exist and has no effect; it is {new} now'
        for old, new in RENAMED_PARAMETERS.items())
    defaults = {name: item.default for name, item in leaf_fields(SegmentationConfig)}
    for name, value in values['segmentation_node'].items():
        if default := defaults.get(name):
            assert value == default


def test_the_samples_are_those_of_the_entries_above():
    recipe = yaml.safe_load((SAMPLES / 'recipe_0.1.0.yaml').read_text())
    assert recipe.keys() >= RENAMED_ENTRIES.keys()
    fusion = yaml.safe_load((SAMPLES / 'parameters_0.1.0.yaml').read_text())[
        '/**/freespace_node']['ros__parameters']['fusion']
    assert {f'fusion.{name}' for name in fusion} >= {
        name for name in RENAMED_PARAMETERS if name.startswith('fusion')}


def test_the_state_of_an_unfinished_run_is_refused_with_the_remedy(tmp_path):
    torch.save({'recipe': {'seed': 0}, 'step': 50, 'best': 0.5, 'heads': {}, 'average': {},
                'optimizer': {}, 'schedule': {}, 'progress': {}}, tmp_path / 'state.pt')
    with pytest.raises(BadInput, match='written by another version of enet_ros; finish the run '
                       'with that version, or choose another --out'):
        read_state(tmp_path / 'state.pt', {'seed': 0}, torch.device('cpu'))


def test_a_cached_graph_is_read(tmp_path):
    content = b'a graph that version 0.1.0 has built'
    (tmp_path / 'a.onnx').write_bytes(hashlib.sha256(content).digest() + content)
    assert load_or_build(tmp_path, 'a.onnx', lambda: b'built again') == content
