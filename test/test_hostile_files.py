"""Files that stand for far more data than they hold, or hold values that no writer writes."""

import io
import json
import logging
import struct
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from enet_ros.engines.tuning_file import load_tuning
from enet_ros.errors import BadInput
from enet_ros.json_data import parse_json
from enet_ros.label_space.palette import MAX_BYTES, read_palette
from enet_ros.labels import CAMVID, LabelClass, LabelSet
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint_import import import_checkpoint
from enet_ros.models.info import describe, text
from enet_ros.training.run_state import FORMAT_VERSION, read_state
from enet_ros.training.teacher_predictions import TeacherPredictions

SHAPE = 4, 6, 2


def refusal(function, *arguments):
    with pytest.raises(BadInput) as caught:
        function(*arguments)
    assert str(caught.value).isprintable()
    return str(caught.value)


# Text and names.


@pytest.mark.parametrize('name', ['a' * 101, 'Ro\nad', '\x1b[2J', '\ud800', '\u2028'])
def test_names_are_short_and_printable(name):
    assert 'at most 100 characters' in refusal(LabelSet, 'own', (LabelClass(name, (0, 0, 0)),))
    assert 'label set' in refusal(LabelSet, name, (LabelClass('Road', (0, 0, 0)),))


@pytest.mark.parametrize('data, problem', [
    ('[1, 9999999999999999999]', 'integer of 19 digits'), ('9' * 5000, 'integer of 5000 digits')])
def test_json_has_integers_of_64_bits(data, problem):
    with pytest.raises(ValueError, match=problem):
        parse_json(data)


def test_json_has_finite_numbers():
    assert parse_json('[1e999, -1e999, 1e9, -5]') == [None, None, 1e9, -5]


def test_a_palette_has_a_limit(tmp_path):
    (tmp_path / 'a.csv').write_bytes(b'name,r,g,b\n' + b'x' * MAX_BYTES)
    assert 'longer than the 1,000,000 bytes' in refusal(read_palette, tmp_path / 'a.csv')


# Checkpoints.


def write_checkpoint(path, **changes):
    """Write a checkpoint without weights, with changes to its metadata."""
    metadata = {**json.loads(checkpoint.ModelSpec(CAMVID).to_json()), **changes}
    save_file({'x': torch.zeros(1)}, path, {'enet_ros': json.dumps(metadata)})
    return path


@pytest.mark.parametrize('changes, problem', [
    ({'width': 8193}, '8193x360 is too large'), ({'height': 10**9}, 'too large'),
    ({'width': 10**30}, 'integer of 31 digits'), ({'mean': ['nan', 0, 0]}, 'finite'),
    ({'std': ['inf', 1, 1]}, 'finite'), ({'mean': [float('inf'), 0, 0]}, 'describes no model'),
    ({'architecture': ['enet']}, 'describes no model'), ({'labels': []}, 'not a label set'),
    ({'temperature': [1]}, 'temperature is')])
def test_metadata_that_no_model_has(tmp_path, changes, problem):
    path = write_checkpoint(tmp_path / 'a.safetensors', **changes)
    assert problem in refusal(checkpoint.read_spec, path)


def test_a_header_that_states_more_than_the_file_holds(tmp_path):
    for tensor in ({'dtype': 'F32', 'shape': [2**40], 'data_offsets': [0, 2**42]},
                   {'dtype': 'F32', 'shape': [2**40], 'data_offsets': [0, 8]},
                   {'dtype': 'F32', 'shape': [2**62, 4], 'data_offsets': [0, 0]}):
        header = json.dumps({'x': tensor}).encode()
        (tmp_path / 'a.safetensors').write_bytes(
            struct.pack('<Q', len(header)) + header + bytes(8))
        refusal(checkpoint.load, tmp_path / 'a.safetensors')
    (tmp_path / 'a.safetensors').write_bytes(b'\xff' * 8 + b'{}')
    refusal(checkpoint.load, tmp_path / 'a.safetensors')


def test_control_characters_of_metadata_are_not_printed(tiny_model, tmp_path):
    network, spec = checkpoint.load(tiny_model)
    changed = checkpoint.ModelSpec(spec.labels, width=64, height=48, license='\x1b[2J\ud800')
    checkpoint.save(tmp_path / 'a.safetensors', network, changed)
    lines = text(describe(tmp_path / 'a.safetensors')).split('\n')
    assert all(line.isprintable() for line in lines) and any(r'\x1b[2J' in line for line in lines)


# Files of torch.save.


def saved(content, compression=zipfile.ZIP_STORED):
    """Return a file of torch.save, packed again."""
    file, again = io.BytesIO(), io.BytesIO()
    torch.save(content, file)
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(again, 'w', compression) as packed:
        for name in archive.namelist():
            packed.writestr(name, archive.read(name))
    return again.getvalue()


def import_bytes(tmp_path, data):
    (tmp_path / 'a.pth').write_bytes(data)
    return refusal(import_checkpoint, tmp_path / 'a.pth', CAMVID, 64, 48)


def test_a_compressed_archive_is_not_unpacked(tmp_path, monkeypatch):
    data = saved({'x': torch.zeros(10**7)}, zipfile.ZIP_DEFLATED)
    assert len(data) < 10**5
    monkeypatch.setattr(torch, 'load', None)
    assert 'is not a whole file of torch.save' in import_bytes(tmp_path, data)


@pytest.mark.parametrize('value', [
    torch.zeros(1).expand(10**6, 10**6, 4), torch.sparse_coo_tensor([[0]], [1.0], (2**40,)),
    torch.empty(2**40, device='meta')], ids=['stride 0', 'sparse', 'meta'])
def test_a_tensor_without_memory_of_its_own_is_not_read(tmp_path, value):
    weights = {'transposed_conv.weight': torch.zeros(16, 11, 3, 3),
               'initial_block.main_branch.weight': value}
    assert 'is not an ENet of PyTorch-ENet' in import_bytes(tmp_path, saved(weights))


def test_names_of_weights_are_text(tmp_path):
    assert 'holds no weights' in import_bytes(tmp_path, saved({12: torch.zeros(1)}))


@pytest.mark.parametrize('content', [
    {'format_version': FORMAT_VERSION}, {'format_version': torch.zeros(2)},
    {'format_version': FORMAT_VERSION, 'settings': [], 'best_score': 0, 'trainer': {}, 'log': {}},
    {'format_version': True, 'settings': {}, 'best_score': 0, 'trainer': {}, 'log': {}}])
def test_a_state_of_another_program_is_refused(tmp_path, content):
    torch.save(content, tmp_path / 'state.pt')
    line = refusal(read_state, tmp_path / 'state.pt', {}, torch.device('cpu'))
    assert 'written by another version' in line


# Caches.


@pytest.mark.parametrize('engine, milliseconds, agreement', [
    ('torch', -1.0, 1.0), ('torch', 1.0, 1.5), ('torch', 10**400, 1.0), ('torch', '1e999', 1.0),
    ('ssh', 1.0, 1.0)])
def test_impossible_measurements_are_not_used(tmp_path, caplog, engine, milliseconds, agreement):
    caplog.set_level(logging.WARNING)
    here = {'settings': ['torch float32']}
    (tmp_path / 'tuning.json').write_text(json.dumps({
        'environment': here, 'failures': [], 'measurements': [
            {'engine': engine, 'precision': 'float32', 'milliseconds': milliseconds,
             'agreement': agreement}]}))
    assert load_tuning(tmp_path / 'tuning.json', here) is None
    assert 'is damaged' in caplog.text and 'measured again' in caplog.text


@pytest.mark.parametrize('change', [
    lambda data: b'PK\x03\x04' + data, lambda data: b'', lambda data: data[:-1],
    lambda data: data.replace(b'(4, 6, 2)', b'(' * 9),
    lambda data: data.replace(b"'<f2'", b"'|O' "),
    lambda data: data.replace(b'(4, 6, 2)', b'(2**99,) '),
    lambda data: data.replace(b'(4, 6, 2)', b'(4, 6, 9)')])
def test_a_damaged_prediction_is_refused(tmp_path, change):
    file = tmp_path / 'a.npy'
    np.save(file, np.zeros(SHAPE, np.float16))
    assert TeacherPredictions([file], SHAPE)[0].shape == SHAPE
    file.write_bytes(change(file.read_bytes()))
    assert 'removed or damaged' in refusal(TeacherPredictions([file], SHAPE).__getitem__, 0)


# ONNX files.


def onnx_with_functions(count, calls):
    """Return a network with functions of which each calls the next one some times."""
    from onnx import TensorProto, helper
    opsets = [helper.make_opsetid('', 17), helper.make_opsetid('own', 1)]
    functions = []
    for number in range(count):
        inside = [helper.make_node(f'f{(number + 1) % (count + 1)}', ['x'], [f'y{call}'],
                                   domain='own') for call in range(calls)]
        functions.append(helper.make_function('own', f'f{number}', ['x'], ['y0'], inside, opsets))
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in 'xz']
    graph = helper.make_graph([helper.make_node('f0', ['x'], ['z'], domain='own')], 'g',
                              values[:1], values[1:])
    return graph, functions, opsets


@pytest.mark.parametrize('count, calls, problem', [
    (18, 2, 'stand for 262'), (15, 30, 'stand for'), (40, 1, 'nest deeper than 20'),
    (0, 1, 'call themselves')])
def test_functions_in_onnx_files_that_multiply_are_refused(tmp_path, count, calls, problem):
    pytest.importorskip('onnx')
    from onnx import helper

    from enet_ros.models.onnx_network import read_onnx
    if count:
        graph, functions, opsets = onnx_with_functions(count, calls)
    else:
        graph, _, opsets = onnx_with_functions(1, 1)
        functions = [helper.make_function('own', 'f0', ['x'], ['y'], [
            helper.make_node('f0', ['x'], ['y'], domain='own')], opsets)]
    model = helper.make_model(graph, functions=functions, opset_imports=opsets)
    (tmp_path / 'a.onnx').write_bytes(model.SerializeToString())
    assert problem in refusal(read_onnx, tmp_path / 'a.onnx')


@pytest.mark.parametrize('change', [lambda data: data.replace(b'picture', b'pict\xffre'),
                                    lambda data: data.replace(b'\x08\x01\x12', b'\x08\x63\x12')],
                         ids=['a name that is not text', 'an unknown type'])
def test_an_onnx_file_that_is_not_consistent_is_refused(tmp_path, change):
    pytest.importorskip('onnx')
    from onnx import TensorProto, helper
    from onnx_networks import describe as write_description

    from enet_ros.engines.inference_spec import InferenceSpec
    from enet_ros.engines.onnx_network_graph import network_graph
    from enet_ros.models.loading import load_model
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
              for name, shape in (('picture', [1, 3, 48, 64]), ('scores', [1, 5, 48, 64]))]
    graph = helper.make_graph([helper.make_node('Conv', ['picture', 'w'], ['scores'])], 'g',
                              values[:1], values[1:], [
        helper.make_tensor('w', TensorProto.FLOAT, [5, 3, 1, 1], [0.0] * 15)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])
    data = model.SerializeToString()
    assert change(data) != data
    (tmp_path / 'net.onnx').write_bytes(change(data))
    write_description(tmp_path / 'net.onnx')

    def use():
        network, spec = load_model(tmp_path / 'net.onnx')
        network_graph(network, spec, InferenceSpec(64, 48))

    assert 'net.onnx' in refusal(use)


@pytest.mark.parametrize('location', ['a' * 300, 'a\0b', '../a', '/dev/zero', '', 'not UTF-8'])
def test_external_data_of_onnx_files_is_beside_them(tmp_path, location):
    pytest.importorskip('onnx')
    from onnx import TensorProto, helper

    from enet_ros.models.onnx_network import read_onnx
    tensor = TensorProto(name='w', dims=[4], data_type=TensorProto.FLOAT,
                         data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key='location', value=location)
    value = helper.make_tensor_value_info('x', TensorProto.FLOAT, [4])
    graph = helper.make_graph([helper.make_node('Relu', ['w'], ['x'])], 'g', [], [value], [tensor])
    content = helper.make_model(graph).SerializeToString().replace(b'not UTF-8', b'not UTF\xe28')
    (tmp_path / 'a.onnx').write_bytes(content)
    assert 'has data in' in refusal(read_onnx, tmp_path / 'a.onnx')


# Messages.


@pytest.mark.parametrize('color', [(float('nan'), 0, 0), (0, float('inf'), 0), (0, 0, 1.01),
                                   (-0.1, 0, 0)])
def test_colors_of_label_maps_are_from_0_to_1(color):
    pytest.importorskip('rclpy', reason='needs ROS 2')
    from enet_ros.msg import ClassInfo, LabelMap
    from std_msgs.msg import ColorRGBA

    from enet_ros.ros.messages import label_set
    red, green, blue = map(float, color)
    message = LabelMap(model='net', unlabelled_id=255, classes=[
        ClassInfo(id=0, name='Road', color=ColorRGBA(r=red, g=green, b=blue, a=1.0))])
    assert "class 'Road' has the color" in refusal(label_set, message)
