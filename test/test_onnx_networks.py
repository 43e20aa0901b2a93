"""ONNX networks of other programs: on the engines, in commands, and with mistakes."""

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
pytest.importorskip('openvino')

import onnx
from onnx import helper
from onnx_networks import CLASSES, NAMES, SmallNetwork, describe, export, write_network
from torch import nn
from torch.nn import functional as F

from enet_ros.cli import main
from enet_ros.config import LatencyConfig, ModelConfig, OutputConfig, SegmentationConfig
from enet_ros.engines import engine as engine_module
from enet_ros.engines import selection
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_graph import graph_digest
from enet_ros.engines.street_image import street_image
from enet_ros.errors import BadInput
from enet_ros.images.postprocess import scale_labels
from enet_ros.labels import CAMVID, CITYSCAPES
from enet_ros.latency.model_pool import ModelPool
from enet_ros.models.loading import load_model, read_model_spec
from enet_ros.segmenter import Segmenter

ENGINES = ['onnxruntime', 'openvino']
TEACHER = Path(__file__).parents[2] / 'shared/teachers/espnetv2_s_2.0_city_720x544.onnx'
IMAGE = street_image(64, 48)


def segmenter(file, engine='onnxruntime', **settings):
    return Segmenter.load(file, engine=engine, device='cpu', precision='float32', **settings)


def logits(file, module, image):
    """Return the network's logits (1, classes, h, w), by PyTorch and the YAML file."""
    with torch.inference_mode():
        scores = module(torch.from_numpy(read_model_spec(file).input.array(image)))
    return scores.permute(0, 3, 1, 2) if module.layout == 'NHWC' else scores


def same(labels, expected):
    """Return whether labels are equal but for a few pixels at which two classes are close."""
    assert labels.shape == expected.shape
    assert len(np.unique(expected)) > 2, 'the network predicts too few classes: nothing is tested'
    return (labels == np.asarray(expected)).mean() > 0.995


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('stated, options', [
    ({}, {}),
    ({'channels': 'bgr', 'range': 255, 'mean': [104.0, 117.0, 123.0], 'std': [60, 60, 60]}, {}),
    ({'layout': 'NHWC'}, {'layout': 'NHWC'}),
    ({'dtype': 'uint8', 'mean': None, 'std': None}, {'dtype': torch.uint8, 'scale': 0.01}),
    ({'dtype': 'uint8', 'layout': 'NHWC', 'channels': 'bgr', 'mean': None, 'std': None},
     {'dtype': torch.uint8, 'layout': 'NHWC', 'scale': 0.01}),
    ({}, {'opset': 11, 'stride': 4}),
    ({}, {'opset': 13, 'stride': 2}),
    ({}, {'opset': 18, 'stride': 2}),
    ({'stride': 4}, {'free': True, 'free_batch': True, 'stride': 4}),
    ({}, {'free_batch': True}),
], ids=['plain', 'bgr, 255', 'NHWC', 'uint8', 'uint8 NHWC bgr', 'opset 11', 'opset 13',
        'opset 18', 'free size', 'free batch'])
def test_labels_and_confidence_are_those_of_the_network(tmp_path, engine, stated, options):
    made = {name: options.pop(name) for name in ('stride', 'scale') if name in options}
    module = SmallNetwork(layout=options.get('layout', 'NCHW'), **made)
    file = export(module, tmp_path / 'net.onnx', **options)
    describe(file, **stated)
    scores = F.interpolate(logits(file, module, IMAGE), (48, 64), mode='bilinear')
    probability, expected = scores.softmax(1)[0].max(0)
    result = segmenter(file, engine)(IMAGE)
    assert same(result.labels, expected.numpy())
    assert np.abs(result.confidence - 255 * probability.numpy()).max() < 1.5


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('filter', ['nearest', 'linear'])
@pytest.mark.parametrize('stride', [1, 4])
def test_predictions_of_another_size(tmp_path, engine, filter, stride):
    module = SmallNetwork(stride=stride)
    file = export(module, tmp_path / 'net.onnx')
    describe(file)
    size = (48, 64) if filter == 'nearest' else (90, 120)
    expected = F.interpolate(logits(file, module, IMAGE), size, mode='bilinear')[0].argmax(0)
    labels = segmenter(file, engine, output_size=(120, 90), filter=filter)(IMAGE).labels
    assert same(labels, scale_labels(expected.numpy().astype(np.uint8), 120, 90))


@pytest.mark.parametrize('engine', ENGINES)
def test_probabilities(tmp_path, engine):
    module = SmallNetwork(output='probabilities')
    file = export(module, tmp_path / 'net.onnx')
    describe(file, output='probabilities')
    probability, expected = logits(file, module, IMAGE)[0].max(0)
    result = segmenter(file, engine)(IMAGE)
    assert same(result.labels, expected.numpy())
    assert np.abs(result.confidence - 255 * probability.numpy()).max() < 1.5


@pytest.mark.parametrize('engine', ENGINES)
@pytest.mark.parametrize('dtype', [torch.int64, torch.int32, torch.uint8, torch.float32])
@pytest.mark.parametrize('stride', [1, 2])
def test_a_network_that_gives_labels(tmp_path, engine, dtype, stride):
    module = SmallNetwork(output='labels', labels=dtype, stride=stride)
    file = export(module, tmp_path / 'net.onnx')
    classes = [{**entry, 'id': class_id} for class_id, entry in enumerate(CLASSES)
               if entry['name'] != 'truck']
    describe(file, output='labels', classes=classes, void_id=NAMES.index('truck'))
    module.output = 'logits'
    own = logits(file, module, IMAGE)[0].argmax(0).numpy().astype(np.uint8)
    expected = np.array([0, 1, 2, 255, 3], np.uint8)[own]  # without truck
    assert len(np.unique(expected)) > 2
    result = segmenter(file, engine, output_size=(120, 90))(IMAGE)
    assert np.array_equal(result.labels, scale_labels(expected, 120, 90))
    assert (result.confidence == 255).all()


def test_the_temperature_changes_the_confidence_only(tmp_path):
    file = write_network(tmp_path)
    before = segmenter(file)(IMAGE)
    describe(file, temperature=4.0)
    after = segmenter(file)(IMAGE)
    assert np.array_equal(before.labels, after.labels)
    assert after.confidence.mean() < before.confidence.mean() - 20


@pytest.mark.skipif(not TEACHER.is_file(), reason=f'{TEACHER} is not on this machine')
def test_a_network_of_another_project(tmp_path):
    file = tmp_path / 'espnetv2.onnx'
    file.symlink_to(TEACHER)
    describe(file, name='cityscapes', size=[720, 544], mean=[0, 0, 0], std=[1, 1, 1],
             classes=CITYSCAPES.to_dict()['classes'])
    image = street_image(720, 544)
    own = segmenter(file, 'openvino')(image)
    import onnxruntime
    session = onnxruntime.InferenceSession(TEACHER, providers=['CPUExecutionProvider'])
    x = np.ascontiguousarray(image.transpose(2, 0, 1)[None] / np.float32(255))
    assert same(own.labels, session.run(None, {'image': x})[0][0].argmax(0))


def test_a_graph_of_this_package(tmp_path, tiny_model):
    file = tmp_path / 'exported.onnx'
    assert main(['export', str(tiny_model), '--out', str(file), '--confidence']) == 0
    describe(file, dtype='uint8', layout='NHWC', mean=None, std=None, output='labels',
             classes=CAMVID.to_dict()['classes'])
    expected = Segmenter.load(tiny_model, engine='torch', device='cpu')(IMAGE).labels
    assert (segmenter(file)(IMAGE).labels == expected).mean() > 0.999


def test_the_digest_depends_on_network_description_and_sizes(tmp_path):
    file = write_network(tmp_path)
    network, spec = load_model(file)
    describe(file, mean=[0, 0, 0])
    _, other_spec = load_model(file)
    export(SmallNetwork(scale=2.0), file)
    other_network, _ = load_model(file)
    inference_spec = InferenceSpec(64, 48)
    digests = {graph_digest(network, spec, inference_spec),
               graph_digest(network, spec, inference_spec, True),
               graph_digest(network, spec, InferenceSpec(64, 48, 32, 24)),
               graph_digest(network, replace(spec, temperature=2.0), inference_spec),
               graph_digest(network, other_spec, inference_spec),
               graph_digest(other_network, spec, inference_spec)}
    assert len(digests) == 6
    assert graph_digest(network, spec, inference_spec) in digests


def test_labels_without_confidence_are_in_the_summary(tmp_path):
    describe(export(SmallNetwork('labels', labels=torch.int64), tmp_path / 'net.onnx'),
             output='labels')
    pool = ModelPool(SegmentationConfig(model=ModelConfig(
        path=str(tmp_path / 'net.onnx'), engine='openvino', device='cpu')), clock=lambda: 0.0)
    assert pool.summary()['confidence'] == '255 everywhere, because the network predicts labels'


@pytest.mark.parametrize('engine', ENGINES)
def test_functions_inside_a_file(tmp_path, engine):
    file = write_network(tmp_path)
    expected = segmenter(file, engine)(IMAGE).labels.copy()
    model = onnx.load(file)
    relu = next(node for node in model.graph.node if node.op_type == 'Relu')
    relu.op_type, relu.domain = 'MyRelu', 'mine'
    opsets = [helper.make_opsetid('', 17), helper.make_opsetid('mine', 1)]
    model.opset_import.append(opsets[1])
    model.functions.append(helper.make_function(
        'mine', 'MyRelu', ['x'], ['y'], [helper.make_node('Relu', ['x'], ['y'])], opsets[:1]))
    onnx.save(model, file)
    assert np.array_equal(segmenter(file, engine)(IMAGE).labels, expected)


class TestSelection:
    @pytest.mark.parametrize('engine', ['torch', 'native'])
    def test_engines_for_pytorch_networks_are_refused(self, tmp_path, engine):
        with pytest.raises(BadInput, match=f'engine {engine} does not run ONNX networks, and .*; '
                                           'choose engine auto, openvino or onnxruntime'):
            Segmenter.load(write_network(tmp_path), engine=engine, device='cpu')

    def test_auto_measures_the_engines_and_precisions(self, tmp_path):
        file, cache = write_network(tmp_path), tmp_path / 'cache'
        found = Segmenter.load(file, device='cpu', cache_folder=str(cache))
        assert 'openvino float32' in found.engine_reason
        assert 'onnxruntime float32' in found.engine_reason
        assert found.engine.name == f'{found.config.engine} cpu {found.config.precision}'
        tuning, = cache.glob('tuning_*.json')
        measured = {(each['engine'], each['precision']): each['agreement']
                    for each in json.loads(tuning.read_text())['measurements']}
        assert measured['onnxruntime', 'float32'] > 0.999 < measured['openvino', 'float32']
        again = Segmenter.load(file, device='cpu', cache_folder=str(cache))
        assert again.engine_reason == found.engine_reason

    def test_a_named_engine_with_one_precision_is_not_measured(self, tmp_path):
        found = Segmenter.load(write_network(tmp_path), engine='onnxruntime', device='cpu')
        assert found.engine_reason == 'requested'

    def test_an_engine_that_does_not_run_is_left_out(self, tmp_path, monkeypatch):
        def refuse(*arguments, **settings):
            raise RuntimeError('operator is missing')

        monkeypatch.setattr('openvino.Core.compile_model', refuse)
        found = Segmenter.load(write_network(tmp_path), device='cpu',
                               cache_folder=str(tmp_path / 'cache'))
        assert found.engine.name == 'onnxruntime cpu float32'

    def test_auto_is_onnxruntime_without_openvino(self, tmp_path, monkeypatch):
        monkeypatch.setattr(engine_module, 'find_spec',
                            lambda name: None if name == 'openvino' else find_spec(name))
        found = Segmenter.load(write_network(tmp_path), device='cpu')
        assert found.engine.name == 'onnxruntime cpu float32'

    def test_torch_on_a_gpu_is_not_selected(self, tmp_path, monkeypatch):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        monkeypatch.setattr(selection, 'gpu_name', lambda: 'Orin')
        found = Segmenter.load(write_network(tmp_path), cache_folder=str(tmp_path))
        assert found.engine.name.split()[1] == 'cpu'
        assert found.engine_reason.startswith('no installed runtime can use the GPU Orin')
        with pytest.raises(BadInput, match='this ONNX Runtime has no CUDAExecutionProvider'):
            Segmenter.load(tmp_path / 'net.onnx', device='cuda')

    def test_without_a_runtime_the_package_is_named(self, tmp_path, monkeypatch):
        file = write_network(tmp_path)
        monkeypatch.setattr(engine_module, 'find_spec', lambda name: name == 'onnx' or None)
        with pytest.raises(BadInput, match='needs the package onnxruntime; pip install '
                                           'onnxruntime$'):
            Segmenter.load(file, device='cpu')


class TestSizes:
    def test_a_free_network_runs_at_several_sizes(self, tmp_path):
        file = export(SmallNetwork(stride=4), tmp_path / 'net.onnx', free=True)
        describe(file, stride=4)
        pool = ModelPool(SegmentationConfig(
            model=ModelConfig(path=str(file), engine='openvino', device='cpu',
                              precision='float32'),
            latency=LatencyConfig(budget_ms=50.0, adaptive=True)), clock=lambda: 0.0)
        assert list(pool.segmenters) == [(64, 48), (48, 36), (32, 24)]
        for (width, height), each in pool.segmenters.items():
            assert each(IMAGE).labels.shape == (height, width)

    def test_adaptive_sizes_need_a_free_network(self, tmp_path):
        with pytest.raises(BadInput, match='latency.adaptive needs a network that runs at several '
                                           'sizes, and this one takes 64x48 only; switch'):
            ModelPool(SegmentationConfig(
                model=ModelConfig(path=str(write_network(tmp_path))),
                latency=LatencyConfig(budget_ms=50.0, adaptive=True)), clock=lambda: 0.0)

    @pytest.mark.parametrize('engine', ENGINES)
    def test_another_size_needs_a_free_network(self, tmp_path, engine):
        with pytest.raises(BadInput, match='takes images of 64x48 only, and 96x48 is requested'):
            segmenter(write_network(tmp_path), engine, width=96)

    def test_a_size_is_a_multiple_of_the_stride(self, tmp_path):
        file = export(SmallNetwork(stride=4), tmp_path / 'net.onnx', free=True)
        describe(file, stride=16)
        with pytest.raises(BadInput, match='multiples of 16, and 100x48 is requested; choose for '
                                           'example 96x48'):
            segmenter(file, width=100)
        assert segmenter(file, width=96)(IMAGE).labels.shape == (48, 96)

    def test_labels_are_not_interpolated(self, tmp_path):
        module = SmallNetwork(output='labels', labels=torch.int64)
        describe(export(module, tmp_path / 'net.onnx'), output='labels')
        with pytest.raises(BadInput, match='predicts labels, which cannot be interpolated'):
            ModelPool(SegmentationConfig(
                model=ModelConfig(path=str(tmp_path / 'net.onnx'), device='cpu'),
                output=OutputConfig(size='40x32', filter='linear')), clock=lambda: 0.0)


class TestDescription:
    @pytest.mark.parametrize('entries, message', [
        ({'output': None}, 'output is None; choose one of logits, probabilities, labels'),
        ({'channels': 'gbr'}, "channels is 'gbr'; choose one of rgb, bgr"),
        ({'channels': None}, 'channels is None; choose one of rgb, bgr'),
        ({'layout': 'HWC'}, "layout is 'HWC'; choose one of NCHW, NHWC"),
        ({'dtype': 'int8'}, "dtype is 'int8'; choose one of float32, uint8"),
        ({'dtype': 'uint8'}, 'mean needs the dtype float32, and dtype is uint8; remove it'),
        ({'range': 128}, 'range is 128; it must be the value of white, 1 or 255'),
        ({'range': True}, 'range is True; it must be the value of white, 1 or 255'),
        ({'mean': [0.5, 0.5]}, 'it must be three numbers, of the channels'),
        ({'std': [1, 1, 0]}, 'it must be three numbers above zero, of the channels'),
        ({'std': [1, 1, float('nan')]}, 'it must be three numbers above zero, of the channels'),
        ({'size': 64}, r'size is 64; it must be \[width, height\] in pixels'),
        ({'stride': -1}, 'stride is -1; it must be a number of pixels'),
        ({'stride': 32}, 'size and stride disagree: the network takes images whose sides are '
                         'multiples of 32'),
        ({'temperature': 0}, 'temperature is 0; it must be a number from 0.01 to 100'),
        ({'temperature': 2, 'output': 'labels'}, 'temperature needs the output logits'),
        ({'classes': []}, "label set 'warehouse' has 0 classes"),
        ({'classes': None}, 'classes must be a list of entries'),
        ({'classes': [{**entry, 'id': 7 - index} for index, entry in enumerate(CLASSES)]},
         'the output is logits, so classes have no ids of their own'),
        ({'mean_rgb': [1, 1, 1]}, "unknown entry 'mean_rgb'; known entries are name, classes"),
    ])
    def test_mistakes_are_named(self, tmp_path, entries, message):
        file = write_network(tmp_path, **entries)
        with pytest.raises(BadInput, match=message) as error:
            load_model(file)
        assert str(error.value).startswith(str(file.with_suffix('.yaml')))
        assert '\n' not in str(error.value)

    def test_a_missing_description_is_named(self, tmp_path):
        file = export(SmallNetwork(), tmp_path / 'net.onnx')
        with pytest.raises(BadInput, match='net.onnx needs .*net.yaml beside it, with its classes '
                                           'and input; write it with enet import .*net.onnx'):
            load_model(file)

    @pytest.mark.parametrize('engine', ENGINES)
    @pytest.mark.parametrize('entries, message', [
        ({'classes': CLASSES[:4]}, r'gives float32 \(1, 5, 48, 64\), and .*net.yaml describes '
                                   r'logits of 4 classes, \(1, 4, height, width\)'),
        ({'size': [96, 48]}, r'takes float32 \(1, 3, 48, 64\), and .*net.yaml describes float32 '
                             r'\(1, 3, 48, 96\); correct size, layout and dtype there'),
        ({'layout': 'NHWC'}, r'describes float32 \(1, 48, 64, 3\)'),
        ({'dtype': 'uint8', 'mean': None, 'std': None}, r'describes uint8 \(1, 3, 48, 64\)'),
        ({'output': 'labels'}, r'describes labels of 5 classes, \(1, height, width\)'),
        ({'size': [96, 48], 'stride': 16}, r'takes float32 \(1, 3, 48, 64\)'),
        ({'output': 'probabilities'}, 'predicts no probabilities: the smallest is -'),
    ])
    def test_a_description_of_another_network(self, tmp_path, engine, entries, message):
        file = write_network(tmp_path, **entries)
        with pytest.raises(BadInput, match=message) as error:
            segmenter(file, engine)(IMAGE)
        assert str(file) in str(error.value) and '\n' not in str(error.value)


class TestBadNetworks:
    @pytest.mark.parametrize('content', [b'', b'no network', b'\x08\x08'])
    def test_a_file_that_is_no_network(self, tmp_path, content):
        file = tmp_path / 'net.onnx'
        file.write_bytes(content)
        describe(file)
        with pytest.raises(BadInput, match='net.onnx (holds no network|is not a whole ONNX file)'):
            load_model(file)

    def test_a_classification_network(self, tmp_path):
        module = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        file = export(module, tmp_path / 'net.onnx')
        describe(file)
        with pytest.raises(BadInput, match=r'gives float32 \(1, 5\), .* segmentation network'):
            segmenter(file)(IMAGE)

    def test_an_old_opset(self, tmp_path):
        file = write_network(tmp_path)
        model = onnx.load(file)
        model.opset_import[0].version = 9
        onnx.save(model, file)
        with pytest.raises(BadInput, match='has ONNX opset 9; export it again with opset 11'):
            segmenter(file)(IMAGE)

    @pytest.mark.parametrize('engine', ENGINES)
    def test_an_operator_of_a_library(self, tmp_path, engine):
        file = write_network(tmp_path)
        model = onnx.load(file)
        relu = next(node for node in model.graph.node if node.op_type == 'Relu')
        relu.op_type, relu.domain = 'FastRelu', 'acme'
        model.opset_import.append(helper.make_opsetid('acme', 1))
        onnx.save(model, file)
        with pytest.raises(BadInput, match='cannot (load|compile) the network: .*Fast') as error:
            segmenter(file, engine)(IMAGE)
        assert '\n' not in str(error.value)

    @pytest.mark.parametrize('engine', ENGINES)
    def test_names_that_are_not_text(self, tmp_path, engine):
        file = write_network(tmp_path)
        file.write_bytes(file.read_bytes().replace(b'Relu', b'Rel\xff'))
        with pytest.raises(BadInput, match='cannot (load|compile) the network: ') as error:
            segmenter(file, engine)(IMAGE)
        assert '\n' not in str(error.value)

    @pytest.mark.parametrize('engine', ENGINES)
    def test_values_that_are_not_finite(self, tmp_path, engine):
        module = SmallNetwork()
        with torch.no_grad():
            module.scores.bias[2] = float('nan')
        describe(export(module, tmp_path / 'net.onnx'))
        with pytest.raises(BadInput, match='net.onnx predicts values that are not finite'):
            segmenter(tmp_path / 'net.onnx', engine)(IMAGE, confidence=False)

    @pytest.mark.parametrize('engine', ENGINES)
    def test_probabilities_that_do_not_add_up(self, tmp_path, engine):
        class Half(SmallNetwork):
            def forward(self, image):
                return super().forward(image) / 2

        describe(export(Half('probabilities'), tmp_path / 'net.onnx'), output='probabilities')
        with pytest.raises(BadInput, match='those of a pixel add up to 0.5 to 0.5; write output: '
                                           'logits in'):
            segmenter(tmp_path / 'net.onnx', engine)(IMAGE)

    @pytest.mark.parametrize('engine', ENGINES)
    @pytest.mark.parametrize('dtype, offset', [
        (torch.int32, -1), (torch.int32, 2), (torch.int64, 2 ** 40), (torch.float32, 0.25),
        (torch.float32, float('nan')), (torch.float32, float('inf'))])
    def test_labels_of_no_class(self, tmp_path, engine, dtype, offset):
        class Shifted(SmallNetwork):
            def forward(self, image):
                return super().forward(image) + offset

        describe(export(Shifted('labels', labels=dtype), tmp_path / 'net.onnx'), output='labels')
        with pytest.raises(BadInput, match='predicts a label that .*net.yaml does not list; give'):
            segmenter(tmp_path / 'net.onnx', engine)(IMAGE)


class TestExternalData:
    @pytest.fixture
    def file(self, tmp_path):
        """A network whose weights are in a file of their own."""
        file = write_network(tmp_path)
        onnx.save(onnx.load(file), file, save_as_external_data=True, location='net.data',
                  size_threshold=0)
        return file

    def test_data_beside_the_network_is_read(self, file, tmp_path):
        (tmp_path / 'whole').mkdir()
        whole = segmenter(write_network(tmp_path / 'whole'))(IMAGE).labels.copy()
        assert (tmp_path / 'net.data').is_file()
        assert np.array_equal(segmenter(file)(IMAGE).labels, whole)
        assert np.array_equal(segmenter(file, 'openvino')(IMAGE).labels, whole)

    def test_missing_data_is_named(self, file, tmp_path):
        (tmp_path / 'net.data').unlink()
        with pytest.raises(BadInput, match="net.onnx has data in 'net.data', which is not beside "
                                           'it; copy that file too'):
            load_model(file)

    def test_short_data_is_refused(self, file, tmp_path):
        (tmp_path / 'net.data').write_bytes(b'short')
        with pytest.raises(BadInput) as error:
            segmenter(file)(IMAGE)
        assert 'net.onnx' in str(error.value) and '\n' not in str(error.value)

    @pytest.mark.parametrize('location', ['../secret', '/etc/passwd', 'sub/../../secret', ''])
    def test_data_elsewhere_is_not_read(self, file, tmp_path, location):
        (tmp_path.parent / 'secret').write_bytes(b'secret')
        model = onnx.load(file, load_external_data=False)
        for tensor in model.graph.initializer:
            tensor.external_data[0].value = location
        file.write_bytes(model.SerializeToString())
        with pytest.raises(BadInput, match='outside of its folder, which is not read; export it'):
            load_model(file)

    def test_a_link_to_elsewhere_is_not_followed(self, file, tmp_path):
        data = (tmp_path / 'net.data').rename(tmp_path.parent / 'elsewhere.data')
        (tmp_path / 'net.data').symlink_to(data)
        with pytest.raises(BadInput, match='outside of its folder, which is not read'):
            load_model(file)


class TestCommands:
    def test_info(self, tmp_path, capsys):
        file = write_network(tmp_path)
        assert main(['info', str(file)]) == 0
        out = capsys.readouterr().out
        assert '64x48 only' in out and 'warehouse' in out and 'person' in out
        assert main(['info', str(file), '--json']) == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts['width'] == 64 and facts['output'] == 'logits' and facts['parameters'] == 269

    def test_segment_and_evaluate(self, tmp_path, capsys):
        import cv2
        file = write_network(tmp_path)
        expected = segmenter(file)(IMAGE).labels
        for name, picture in (('images', IMAGE[..., ::-1]), ('labels', expected)):
            (tmp_path / name).mkdir()
            cv2.imwrite(str(tmp_path / name / 'one.png'), picture)
        assert main(['segment', str(tmp_path / 'images'), '--out', str(tmp_path / 'out'),
                     '--model', str(file), '--device', 'cpu']) == 0
        data = tmp_path / 'data.yaml'
        data.write_text(yaml.safe_dump({'name': 'warehouse', 'size': [64, 48], 'classes': CLASSES,
                                        'train': {'images': 'images', 'labels': 'labels'},
                                        'val': {'images': 'images', 'labels': 'labels'}}))
        capsys.readouterr()
        assert main(['evaluate', '--data', str(data), '--model', str(file), '--engine',
                     'onnxruntime']) == 0
        assert '1.000' in capsys.readouterr().out

    def test_tune(self, tmp_path, capsys):
        assert main(['tune', str(write_network(tmp_path)), '--cache-folder', str(tmp_path)]) == 0
        out = capsys.readouterr().out
        assert 'net.onnx, 64x48' in out and '| openvino | float32 |' in out
        assert '| onnxruntime | float32 |' in out
        assert '| native |' not in out and '| torch |' not in out

    def test_benchmark(self, tmp_path, capsys):
        pytest.importorskip('matplotlib')
        file = export(SmallNetwork(stride=2), tmp_path / 'net.onnx', free=True)
        describe(file, stride=2)
        assert main(['benchmark', '--model', str(file), '--quick', '--sizes', '64x48,96x64',
                     '--out', str(tmp_path / 'out'), '--threads', '1']) == 0
        out = capsys.readouterr().out
        assert (tmp_path / 'out/benchmark.md').read_text() == out
        for name in ('openvino cpu float32', 'onnxruntime cpu float32',
                     'OpenVINO by hand, float32', 'ONNX Runtime by hand'):
            rows = [row.split('|') for row in out.splitlines() if row.startswith(f'| {name} |')]
            assert len(rows) == 2
            assert all(float(row[6].strip(' %')) > 99 for row in rows)
        results = json.loads((tmp_path / 'out/benchmark.json').read_text())
        assert results['command'].startswith('enet benchmark --model')
        assert [(size['width'], size['height']) for size in results['sizes']] == [(64, 48),
                                                                                 (96, 64)]
        for size in results['sizes']:
            rows = {row['name']: row for row in size['rows']}
            by_hand = rows[size['reference']]
            assert by_hand['time_relative_to_by_hand'] == by_hand['agreement'] == 1
            engine = rows['openvino cpu float32']
            assert engine['is_engine'] and not by_hand['is_engine']
            assert engine['time_relative_to_by_hand'] > 0 and engine['agreement'] > 0.99
            assert len(engine['milliseconds']) == engine['frames'] > 0
        assert (tmp_path / 'out/benchmark.png').read_bytes().startswith(b'\x89PNG')

    @pytest.mark.parametrize('options, message', [
        (['--sizes', '96x64'], 'takes images of 64x48 only, and 96x64 is requested'),
        (['--engines', 'torch'], 'engine torch does not run ONNX networks'),
        (['--engines', 'auto'], 'auto stands for one of the engines'),
        (['--compiled'], 'engine torch does not run ONNX networks; leave --compiled out')])
    def test_what_the_benchmark_refuses(self, tmp_path, capsys, options, message):
        assert main(['benchmark', '--model', str(write_network(tmp_path)), *options]) == 1
        assert message in capsys.readouterr().err

    def test_export_refuses_it(self, tmp_path, capsys):
        file = write_network(tmp_path)
        assert main(['export', str(file), '--out', str(tmp_path / 'never.onnx')]) == 1
        assert 'net.onnx is an ONNX network, and a checkpoint is needed' in capsys.readouterr().err
