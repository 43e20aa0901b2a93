"""Exported files hold plain operators and metadata, and predict as their model does."""

import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from enet_ros.cli import main
from enet_ros.engines import export, onnx_export
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_export import to_onnx
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint, segnet
from enet_ros.models.checkpoint import ModelSpec

onnx = pytest.importorskip('onnx')
RUNTIMES = [runtime for runtime in ('onnxruntime', 'openvino') if find_spec(runtime)]
pytestmark = pytest.mark.skipif(not RUNTIMES, reason='neither onnxruntime nor openvino is '
                                                     'installed')
# Each is in the lists of operators that TensorRT 10 and OpenVINO support.
PLAIN = set("""
    Add ArgMax BatchNormalization Cast Concat Constant ConstantOfShape Conv ConvTranspose
    DepthToSpace Div Equal Exp Gather Greater GreaterOrEqual Identity Max MaxPool Mod Mul PRelu Pad
    Reciprocal ReduceMax ReduceSum Relu Reshape Resize Round Shape Slice SpaceToDepth Sub Transpose
    Unsqueeze Where
""".split())


@pytest.fixture(params=['enet', 'segnet', 'erfnet'])
def model(request, tiny_model, tmp_path, monkeypatch):
    """Return the path of a checkpoint with random weights, SegNet's of a thin network."""
    if request.param == 'enet':
        return tiny_model
    for name in ('ENCODER', 'DECODER'):
        monkeypatch.setattr(segnet, name, [[width // 8 for width in stage]
                                           for stage in getattr(segnet, name)])
    torch.manual_seed(4)
    spec = ModelSpec(CAMVID, request.param, width=64, height=64, temperature=1.7)
    network = spec.build()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(2, 3, 64, 64))
    checkpoint.save(tmp_path / 'random.safetensors', network, spec)
    return tmp_path / 'random.safetensors'


def load(runtime, graph):
    """Return a function from an image to the graph's outputs."""
    run = getattr(export, f'_load_into_{runtime}')(graph)
    return lambda image: run(image[None])


def sizes(values):
    return [[dimension.dim_param or dimension.dim_value for dimension in
             value.type.tensor_type.shape.dim] for value in values]


@pytest.mark.parametrize('dynamic', [False, True], ids=['static', 'dynamic'])
def test_the_file_is_valid_and_has_plain_operators_only(model, tmp_path, dynamic):
    out = tmp_path / 'model.onnx'
    width, height = (64, 96) if dynamic else (75, 61)
    assert export.export_model(model, out, width, height, confidence=True,
                               dynamic=dynamic) == (width, height)
    assert not list(tmp_path.glob('*.part'))
    file = onnx.load(out)
    onnx.checker.check_model(file, full_check=True)
    assert {node.op_type for node in file.graph.node} <= PLAIN
    assert {node.domain for node in file.graph.node} == {''}
    assert [each.domain for each in file.opset_import] == ['']
    inside = onnx.shape_inference.infer_shapes(file).graph.value_info
    assert len(inside) > 100
    assert not [each.name for each in inside  # TensorRT takes bytes at the ends only
                if each.type.tensor_type.elem_type == onnx.TensorProto.UINT8]
    spec, = (each.value for each in file.metadata_props if each.key == checkpoint.METADATA_KEY)
    assert ModelSpec.from_json(spec) == checkpoint.read_spec(model)

    plane = ['height', 'width'] if dynamic else [height, width]
    assert [value.name for value in file.graph.input] == ['image']
    assert sizes(file.graph.input) == [[1, *plane, 3]]
    assert [value.name for value in file.graph.output] == ['labels', 'confidence']
    assert {value.type.tensor_type.elem_type for value in (
        *file.graph.input, *file.graph.output)} == {onnx.TensorProto.UINT8}

    network, spec = checkpoint.load(model)
    if dynamic:
        width, height = 128, 32
    image = np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)
    mean, std = (torch.tensor(value) for value in (spec.mean, spec.std))
    x = (torch.from_numpy(image) / 255 - mean) / std
    with torch.inference_mode():
        logits = network(x.permute(2, 0, 1)[None])
        probability, expected = (logits / spec.temperature).softmax(1)[0].max(0)
    for runtime in RUNTIMES:
        labels, confidence = load(runtime, out.read_bytes())(image)
        assert (labels[0] == expected.numpy()).mean() > 0.999, runtime
        assert np.abs(confidence[0] - 255 * probability.numpy()).max() < 1, runtime


def test_the_command_does_not_overwrite_a_file(tiny_model, tmp_path, capsys):
    out = tmp_path / 'tiny.onnx'
    arguments = ['export', str(tiny_model), '--out', str(out)]
    assert main(arguments) == 0
    assert 'for images of 64x48' in capsys.readouterr().out
    assert [value.name for value in onnx.load(out).graph.output] == ['labels']
    before = out.read_bytes()
    assert main(arguments) == 1
    assert 'exists already; remove it, or name another' in capsys.readouterr().err
    assert out.read_bytes() == before


def test_a_graph_with_other_predictions_is_not_written(tiny_model, tmp_path, monkeypatch):
    other = ModelSpec(CAMVID).build().eval()
    monkeypatch.setattr(export, 'to_onnx',
                        lambda model, *settings: to_onnx(other, *settings))
    with pytest.raises(BadInput, match='agrees with the model on .* nothing is written'):
        export.export_model(tiny_model, tmp_path / 'model.onnx')
    assert not list(tmp_path.iterdir())


def test_a_dynamic_file_needs_a_multiple_of_the_stride(tiny_model, tmp_path):
    with pytest.raises(BadInput, match='a multiple of 8 pixels; choose such a width and height'):
        export.export_model(tiny_model, tmp_path / 'model.onnx', 75, 61, dynamic=True)


@pytest.mark.parametrize('hidden, complaint', [
    (['onnx'], 'needs the package onnx; pip install onnx'),
    (['onnxruntime', 'openvino'], 'needs the package onnxruntime or openvino; pip install'),
])
def test_missing_packages_are_named(tiny_model, tmp_path, monkeypatch, hidden, complaint):
    for module in (export, onnx_export):
        monkeypatch.setattr(module, 'find_spec',
                            lambda name: None if name in hidden else find_spec(name))
    with pytest.raises(BadInput, match=complaint):
        export.export_model(tiny_model, tmp_path / 'model.onnx')


def test_a_file_that_cannot_be_written_is_an_error(tiny_model, tmp_path):
    out = tmp_path / 'absent' / 'model.onnx'
    with pytest.raises(BadInput, match=f'cannot write {out}: No such file'):
        export.export_model(tiny_model, out)


def test_graphs_can_be_exported_in_two_threads_at_once(tiny_model):
    model, inference_spec = checkpoint.load(tiny_model), InferenceSpec(64, 48)
    expected, barrier = to_onnx(*model, inference_spec), threading.Barrier(2)

    def export_graph():
        barrier.wait(60)
        return to_onnx(*model, inference_spec)

    with ThreadPoolExecutor(2) as pool:
        results = [pool.submit(export_graph) for _ in range(2)]
    assert [result.result() for result in results] == [expected, expected]
