"""Checkpoints: saving, loading and invalid files."""

import json
import math
import pickle
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID, CITYSCAPES
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import METADATA_KEY, ModelSpec, floating_point


@pytest.fixture
def spec():
    return ModelSpec(CAMVID, width=96, height=64, training={'seed': 3}, metrics={'mIoU': 0.5},
                     license='research')


@pytest.fixture
def file(tmp_path, spec):
    path = tmp_path / 'model.safetensors'
    checkpoint.save(path, spec.build(), spec)
    return path


def test_a_saved_checkpoint_loads_unchanged(tmp_path, spec):
    torch.manual_seed(1)
    model = spec.build().eval()
    path = tmp_path / 'model.safetensors'
    checkpoint.save(path, model, spec, torch.float32)
    again, spec_again = checkpoint.load(path)
    image = torch.rand(1, 3, 64, 96)
    assert spec_again == spec == checkpoint.read_spec(path)
    assert not again.training
    with torch.inference_mode():
        assert torch.equal(model(image), again(image))


def test_the_options_of_an_architecture_are_kept(tmp_path):
    spec = ModelSpec(CAMVID, architecture_options={'output_kernel': 3, 'norm_epsilon': 1e-5})
    path = tmp_path / 'model.safetensors'
    checkpoint.save(path, spec.build(), spec)
    model, spec_again = checkpoint.load(path)
    assert spec_again == spec
    assert model.output.kernel_size == (3, 3)
    assert model.initial.norm.eps == 1e-5


def test_checkpoints_without_options_load(tmp_path, spec):
    metadata = json.loads(spec.to_json())
    del metadata['architecture_options']
    assert ModelSpec.from_json(json.dumps(metadata)) == spec


def test_checkpoints_without_a_temperature_load(spec):
    metadata = json.loads(spec.to_json())
    del metadata['temperature']
    assert ModelSpec.from_json(json.dumps(metadata)).temperature == 1.0


@pytest.mark.parametrize('temperature', [math.nan, math.inf, -1.0, 0.0, 0.001, 1000.0])
def test_an_impossible_temperature_is_rejected(spec, temperature):
    with pytest.raises(BadInput, match=f'temperature is {temperature}; it must be a number from '
                                       '0.01 to 100'):
        replace(spec, temperature=temperature)


def test_a_copy_with_another_spec_has_the_same_weights(tmp_path, file, spec):
    other = replace(spec, temperature=1.5)
    checkpoint.copy_with_spec(file, tmp_path / 'copy.safetensors', other)
    assert checkpoint.read_spec(tmp_path / 'copy.safetensors') == other
    first, second = load_file(file), load_file(tmp_path / 'copy.safetensors')
    assert first.keys() == second.keys()
    assert all(first[name].dtype == second[name].dtype and torch.equal(first[name], second[name])
               for name in first)


def test_older_checkpoints_with_numbers_that_json_lacks(spec):
    metadata = {**json.loads(spec.to_json()), 'metrics': {'iou': {'Sky': float('nan')}}}
    assert ModelSpec.from_json(json.dumps(metadata)).metrics == {'iou': {'Sky': None}}


def test_shipped_models_load():
    for path in checkpoint.models_folder().glob('*.safetensors'):
        model, spec = checkpoint.load(path.stem)
        assert model.output.out_channels == len(spec.labels)


def test_saving_to_a_missing_folder_is_an_error(tmp_path, spec):
    with pytest.raises(BadInput, match='cannot write .*: No such file or directory; name'):
        checkpoint.save(tmp_path / 'absent/model.safetensors', spec.build(), spec)


def test_half_precision_is_small_and_close(file, spec):
    model, _ = checkpoint.load(file)
    assert file.stat().st_size <= 850_000
    assert {value.dtype for value in model.parameters()} == {torch.float32}


def test_saving_replaces_the_file_atomically(file, spec):
    checkpoint.save(file, spec.build(), spec)
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match='absent.safetensors does not exist; give a .safetensors'):
        checkpoint.load(tmp_path / 'absent.safetensors')


def test_an_empty_name_is_rejected():
    with pytest.raises(BadInput, match='no model is named'):
        checkpoint.load('')


@pytest.mark.parametrize('size', [0, 7, 1000, -1])
def test_a_truncated_file_is_rejected(file, size):
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(BadInput, match='not a complete safetensors file'):
        checkpoint.load(file)


def test_pickles_are_never_loaded(tmp_path):
    path = tmp_path / 'model.pth'

    class Bomb:
        def __reduce__(self):
            return (path.with_name('exploded').touch, ())

    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(BadInput, match='not a complete safetensors file'):
        checkpoint.load(path)
    assert not path.with_name('exploded').exists()


def test_other_safetensors_files_are_rejected(tmp_path):
    path = tmp_path / 'foreign.safetensors'
    save_file({'weight': torch.zeros(3)}, path)
    with pytest.raises(BadInput, match='no enet_ros metadata'):
        checkpoint.load(path)


@pytest.mark.parametrize('dtype, name', [
    (torch.bfloat16, 'BF16'), (torch.int8, 'I8'), (torch.complex64, 'C64'),
    (torch.float8_e4m3fn, 'F8_E4M3')])
def test_weights_of_other_types_are_rejected(tmp_path, spec, dtype, name):
    path = tmp_path / 'model.safetensors'
    weights = floating_point(spec.build())
    weights['output.bias'] = weights['output.bias'].to(dtype)
    save_file(weights, path, {METADATA_KEY: spec.to_json()})
    with pytest.raises(BadInput, match=f'has output.bias in the type {name}, and only F16, F32'):
        checkpoint.load(path)


def _write(path, model, **changes):
    metadata = {**json.loads(ModelSpec(CAMVID).to_json()), **changes}
    save_file({name: value for name, value in model.state_dict().items()
               if value.is_floating_point()}, path, {METADATA_KEY: json.dumps(metadata)})
    return path


def test_a_wrong_number_of_classes_is_rejected(tmp_path):
    path = _write(tmp_path / 'm.safetensors', ModelSpec(CITYSCAPES).build())
    with pytest.raises(BadInput, match=r'enet with 11 classes: output.weight is \(16, 19, 2, 2\)'):
        checkpoint.load(path)


def test_missing_and_unknown_weights_are_named(tmp_path):
    model = ModelSpec(CAMVID).build()
    model.extra = torch.nn.Linear(1, 1)
    del model.initial
    path = _write(tmp_path / 'm.safetensors', model)
    with pytest.raises(BadInput, match='initial.conv.weight is missing'):
        checkpoint.load(path)


@pytest.mark.parametrize('changes, complaint', [
    ({'format_version': 99}, 'format version 99'),
    ({'architecture': 'unet'}, "unknown architecture 'unet'"),
    ({'labels': {'name': 'x'}}, 'not a label set'),
    ({'mean': 3}, 'describes no model'),
    ({'std': [1, 0, 1]}, 'std above zero'),
    ({'width': 0}, 'too small'),
    ({'architecture_options': {'depth': 3}},
     "ENet has no option 'depth'; its options are: initial_pool, "),
    ({'architecture_options': {'initial_pool': '3'}}, 'must be of type int'),
    ({'architecture_options': 3}, 'describes no model'),
    ({'architecture': 'segnet', 'architecture_options': {'biases': True}},
     'SegNet has no option .biases.; its options are: none'),
    ({'surprise': 1}, 'describes no model'),
    ({'temperature': 0}, 'temperature is 0; it must be a number from 0.01 to 100'),
    ({'temperature': -2.0}, 'temperature is -2.0; it must be a number'),
    ({'temperature': math.nan}, 'temperature is None; it must be a number'),
    ({'temperature': '2'}, "temperature is '2'; it must be a number"),
    ({'temperature': True}, 'temperature is True; it must be a number'),
])
def test_invalid_metadata_is_rejected(tmp_path, changes, complaint):
    path = _write(tmp_path / 'm.safetensors', ModelSpec(CAMVID).build(), **changes)
    with pytest.raises(BadInput, match=complaint):
        checkpoint.load(path)


@pytest.mark.parametrize('text', ['', '[]', 'null', '{', '{}', '3'])
def test_metadata_without_a_spec_is_rejected(text):
    with pytest.raises(BadInput, match='describes no model'):
        ModelSpec.from_json(text)


@pytest.mark.parametrize('depth', [150, 100_000])
@pytest.mark.parametrize('left, right', [('[', ']'), ('{"a": ', '}')])
def test_deeply_nested_metadata_is_one_clear_error(tmp_path, spec, depth, left, right):
    nested = left * depth + '0' + right * depth
    text = spec.to_json().replace('"training": {', f'"training": {{"nested": {nested}, ')
    path = tmp_path / 'model.safetensors'
    save_file(floating_point(spec.build()), path, {METADATA_KEY: text})
    with pytest.raises(BadInput, match='nests deeper than 100 levels') as refusal:
        checkpoint.load(path)
    assert '\n' not in str(refusal.value)
