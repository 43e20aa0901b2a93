"""Every engine gives the network's predictions, or an error that says why it cannot."""

import logging
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch._inductor.config as inductor_config
from torch.nn import functional as F

from enet_ros.config import ModelConfig
from enet_ros.engines import compiler, onnxruntime_engine, torch_engine
from enet_ros.engines import engine as engine_module
from enet_ros.engines.cache import load_or_build
from enet_ros.engines.device import gpu_name
from enet_ros.engines.engine import (
    ENGINE_CLASSES,
    build_engine,
    installed_engines,
)
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.native_library import LIBRARY, variants
from enet_ros.engines.onnx_graph import graph_digest
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint, segnet
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.synthetic.street import SyntheticStreet

SMALL = InferenceSpec(64, 48)
INFERENCE_SPECS = [
    SMALL, InferenceSpec(75, 61), InferenceSpec(33, 32), InferenceSpec(64, 48, 192, 112),
    InferenceSpec(75, 61, 33, 44), InferenceSpec(64, 48, 100, 77, 'linear'),
    InferenceSpec(75, 61, 150, 122, 'linear'), InferenceSpec(75, 61, 33, 44, 'linear')]


def absence(engine, device, precision):
    """Return why an engine cannot run on this machine, or None if it can."""
    for package in ENGINE_CLASSES[engine].packages:
        if not find_spec(package.removesuffix('-gpu')):
            return f'{package} is not installed'
    if device == 'cuda':
        if not (torch.cuda.is_available() if engine == 'torch' else gpu_name()):
            return 'there is no CUDA GPU'
        if engine != 'torch':
            import onnxruntime
            provider = onnxruntime_engine.PROVIDERS[device if engine == 'onnxruntime' else engine]
            if provider not in onnxruntime.get_available_providers():
                return f'this ONNX Runtime has no {provider}'
    if engine == 'native':
        if not LIBRARY.is_file():
            return 'the native library is not built'
        if precision == 'float16' and not variants()[0].endswith('_fp16'):
            return 'this processor has no float16'
    if (engine, precision) == ('openvino', 'bfloat16'):
        import openvino
        if 'BF16' not in openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES'):
            return 'this processor has no bfloat16'
    return None


def engines(*wanted):
    """Return a parameter for each engine, device and precision; those that are absent skip."""
    return [pytest.param(ModelConfig(engine=engine, device=device, precision=precision),
                         id=f'{engine}-{device}-{precision}', marks=pytest.mark.skipif(
                             bool(reason := absence(engine, device, precision)),
                             reason=reason or ''))
            for engine, device, precision in wanted]


EXACT = engines(('torch', 'cpu', 'float32'), ('native', 'cpu', 'float32'),
                ('openvino', 'cpu', 'float32'), ('onnxruntime', 'cpu', 'float32'),
                ('torch', 'cuda', 'float32'), ('onnxruntime', 'cuda', 'float32'),
                ('tensorrt', 'cuda', 'float32'))
REDUCED = engines(('openvino', 'cpu', 'bfloat16'), ('torch', 'cpu', 'bfloat16'),
                  ('native', 'cpu', 'float16'), ('torch', 'cuda', 'float16'),
                  ('torch', 'cuda', 'bfloat16'), ('tensorrt', 'cuda', 'float16'))
# Engines without a GPU that store their graph in the cache folder.
STORING = engines(('openvino', 'cpu', 'float32'), ('onnxruntime', 'cpu', 'float32'))
needs_onnxruntime = pytest.mark.skipif(not find_spec('onnxruntime'),
                                       reason='onnxruntime is not installed')


@pytest.fixture(scope='module', params=['enet', 'segnet', 'erfnet'])
def model(request):
    """Return a network whose normalizations are not the identity, SegNet a thin one; its spec."""
    return make_model(request.param)


@pytest.fixture(scope='module')
def enet():
    return make_model('enet')


def make_model(architecture, seed=5):
    torch.manual_seed(seed)
    spec = ModelSpec(CAMVID, architecture, width=64, height=48)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        for name in ('ENCODER', 'DECODER'):
            patch.setattr(segnet, name, [[width // 8 for width in stage]
                                         for stage in getattr(segnet, name)])
        network = spec.build()
        for _ in range(3):
            network(torch.randn(4, 3, 64, 96))
    return network.eval(), spec


def build(model, inference_spec, config):
    """Build an engine; skip where it does not support the architecture."""
    if config.engine == 'native' and model[1].architecture != 'enet':
        pytest.skip('engine native supports ENet only')
    return build_engine(*model, inference_spec, config)


def noise(inference_spec):
    """Return an image of noise whose channels are in reverse order in memory."""
    generator = np.random.default_rng(inference_spec.width)
    shape = inference_spec.height, inference_spec.width, 3
    return generator.integers(0, 256, shape, np.uint8)[:, :, ::-1]


def reference(network, spec, image, inference_spec):
    """Return labels and top probability as the network itself gives them."""
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (spec.mean, spec.std))
    x = torch.from_numpy(image.transpose(2, 0, 1).copy())[None] / 255
    with torch.inference_mode():
        logits = network((x - mean) / std)
        if inference_spec.filter == 'linear':
            logits = F.interpolate(logits, inference_spec.output_size[::-1], mode='bilinear')
        probability, labels = (logits / spec.temperature).softmax(1)[0].max(0)
    return [cv2.resize(plane, inference_spec.output_size, interpolation=cv2.INTER_NEAREST_EXACT)
            for plane in (labels.numpy().astype(np.uint8), probability.numpy())]


@pytest.mark.parametrize('inference_spec', INFERENCE_SPECS, ids=lambda spec: (
    f'{spec.width}x{spec.height}-{"x".join(map(str, spec.output_size))}-{spec.filter}'))
@pytest.mark.parametrize('config', EXACT)
def test_labels_and_confidence_are_those_of_the_network(model, config, inference_spec):
    image = noise(inference_spec)
    expected, probability = reference(*model, image, inference_spec)
    # TensorRT may round the factors of a float32 product to ten bits.
    least, furthest = (0.99, 5) if config.engine == 'tensorrt' else (0.999, 1)
    engine = build(model, inference_spec, config)
    assert engine.name == f'{config.engine} {config.device} {config.precision}'
    assert engine.inference_spec == inference_spec
    labels, confidence = engine.infer(image, confidence=False)
    assert confidence is None
    assert labels.shape == expected.shape and labels.dtype == np.uint8
    assert (labels == expected).mean() >= least
    labels, confidence = engine.infer(image, confidence=True)
    assert labels.shape == confidence.shape == expected.shape
    assert labels.dtype == confidence.dtype == np.uint8
    assert (labels == expected).mean() >= least
    assert np.abs(confidence - 255 * probability).max() < furthest


@pytest.mark.parametrize('config', REDUCED)
def test_reduced_precision_on_a_street(config):
    network, spec = checkpoint.load('enet_camvid')
    inference_spec = InferenceSpec(320, 240)
    image = SyntheticStreet(320, 240, seed=3).render(0).image
    expected, probability = reference(network, spec, image, inference_spec)
    engine = build_engine(network, spec, inference_spec, config)
    assert engine.name == f'{config.engine} {config.device} {config.precision}'
    labels, confidence = engine.infer(image, confidence=True)
    assert (labels == expected).mean() >= 0.99
    assert np.abs(confidence - 255 * probability).mean() < 3


@pytest.mark.parametrize('filter', ['nearest', 'linear'])
@pytest.mark.parametrize('temperature', [0.4, 2.5])
@pytest.mark.parametrize('config', EXACT)
def test_the_temperature_changes_the_confidence_only(model, config, temperature, filter):
    network, spec = model
    inference_spec = InferenceSpec(64, 48, 96, 72, filter)
    image = noise(inference_spec)
    before, plain = build(model, inference_spec, config).infer(image, confidence=True)
    before, plain = before.copy(), plain.copy()
    scaled = network, replace(spec, temperature=temperature)
    labels, confidence = build(scaled, inference_spec, config).infer(image, confidence=True)
    _, probability = reference(*scaled, image, inference_spec)
    assert np.array_equal(labels, before)
    furthest = 5 if config.engine == 'tensorrt' else 1
    assert np.abs(confidence - 255 * probability).max() < furthest
    assert (confidence < plain).any() if temperature > 1 else (confidence > plain).any()


@pytest.mark.parametrize('config', REDUCED)
def test_the_temperature_in_reduced_precision(config):
    network, spec = checkpoint.load('enet_camvid')
    inference_spec = InferenceSpec(320, 240)
    image = SyntheticStreet(320, 240, seed=3).render(0).image
    before = build_engine(network, spec, inference_spec, config).infer(image, True)[0].copy()
    spec = replace(spec, temperature=3.0)
    labels, confidence = build_engine(network, spec, inference_spec, config).infer(image, True)
    _, probability = reference(network, spec, image, inference_spec)
    assert np.array_equal(labels, before)
    assert np.abs(confidence - 255 * probability).mean() < 3


@pytest.mark.parametrize('config', EXACT)
def test_an_image_of_another_size_is_rejected(enet, config):
    engine = build_engine(*enet, SMALL, config)
    with pytest.raises(BadInput, match=r'uint8 of shape \(61, 75, 3\), but the engine was built '
                                       'for uint8 64x48; resize the image'):
        engine.infer(noise(InferenceSpec(75, 61)), confidence=False)


@pytest.mark.parametrize('config', EXACT)
def test_the_network_is_not_changed(model, config):
    network = model[0]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    build(model, SMALL, config).infer(noise(SMALL), confidence=False)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize('settings, complaint', [
    ({'engine': 'magic'}, "engine is 'magic'; choose one of auto, torch"),
    ({'device': 'tpu'}, "device is 'tpu'; choose one of auto, cpu, cuda"),
    ({'precision': 'int4'}, "precision is 'int4'; choose one of auto, float32"),
])
def test_unknown_settings_are_rejected(settings, complaint):
    with pytest.raises(BadInput, match=complaint):
        ModelConfig(**settings)


@pytest.mark.parametrize('engine, device, precision, complaint', [
    ('torch', 'cpu', 'float16', 'supports float16 on GPUs only; choose precision bfloat16'),
    ('native', 'cuda', 'auto', 'runs on CPUs, and device cuda is requested; choose device cpu'),
    ('native', 'cpu', 'bfloat16', 'does not support bfloat16 on this processor; choose precision'),
    ('openvino', 'cpu', 'float16', 'does not support float16 on this processor; choose precision'),
    ('openvino', 'cuda', 'auto', 'runs on CPUs, and device cuda is requested; choose device cpu'),
    ('onnxruntime', 'cpu', 'float16', 'precision float16 is requested; choose precision auto'),
    ('onnxruntime', 'cpu', 'bfloat16', 'precision bfloat16 is requested; choose precision auto'),
    ('tensorrt', 'cpu', 'auto', 'runs on NVIDIA GPUs, and device cpu is requested; choose'),
    ('tensorrt', 'cuda', 'bfloat16', 'does not support bfloat16; choose precision float16'),
])
def test_unsupported_settings_are_rejected(enet, engine, device, precision, complaint):
    if reason := absence(engine, 'cpu', precision='float32'):
        pytest.skip(reason)
    with pytest.raises(BadInput, match=complaint):
        build_engine(*enet, SMALL,
                     ModelConfig(engine=engine, device=device, precision=precision))


@pytest.fixture
def uninstall(monkeypatch):
    """Return a function that hides a package from the choice of engines."""
    def hide(package):
        monkeypatch.setattr(engine_module, 'find_spec',
                            lambda name: None if name == package else find_spec(name))
    return hide


@pytest.mark.parametrize('engine, package', [
    ('openvino', 'openvino'), ('onnxruntime', 'onnxruntime'), ('tensorrt', 'onnxruntime-gpu')])
def test_a_missing_engine_names_its_package(enet, uninstall, engine, package):
    uninstall(package.removesuffix('-gpu'))
    with pytest.raises(BadInput, match=f'engine {engine} needs the package {package}; pip install '
                                       f'{package}, or choose one of torch'):
        build_engine(*enet, SMALL, ModelConfig(engine=engine))
    assert engine not in installed_engines()


@pytest.mark.skipif(not find_spec('openvino'), reason='openvino is not installed')
def test_openvino_without_onnx_names_the_missing_package(enet, uninstall):
    uninstall('onnx')
    with pytest.raises(BadInput, match='engine openvino needs the package onnx; pip install onnx, '
                                       'or choose one of torch'):
        build_engine(*enet, SMALL, ModelConfig(engine='openvino'))
    assert installed_engines() == ['torch', *(['native'] if LIBRARY.is_file() else [])]


@pytest.mark.skipif(not find_spec('openvino'), reason='openvino is not installed')
def test_what_openvino_cannot_compile_gives_the_reason(enet):
    engine = build_engine(*enet, SMALL, ModelConfig(engine='openvino'))
    engine.settings['PERFORMANCE_HINT'] = 'HASTE'
    with pytest.raises(BadInput, match='openvino cpu float32 cannot compile the network: .*HASTE'):
        engine.infer(np.zeros((SMALL.height, SMALL.width, 3), np.uint8), False)


@pytest.mark.parametrize('compiler', ['', 'absent++'])
def test_compilation_needs_a_compiler(enet, tmp_path, monkeypatch, compiler):
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.delenv('CXX', raising=False)
    if compiler:
        monkeypatch.setenv('CXX', compiler)
    with pytest.raises(BadInput, match=re.escape(f'{compiler or "g++"!r} is not found; install')):
        build_engine(*enet, SMALL,
                     ModelConfig(engine='torch', device='cpu', compile=True))


class TestCompilerSettings:
    """What compilation changes in the process, with a stand-in for torch.compile."""

    @pytest.fixture
    def seen(self, monkeypatch):
        """Return what a compiled module sees of the settings at each of its calls."""
        calls = []

        def stand_in(module, dynamic):
            def run(image):
                calls.append((inductor_config.freezing, compiler._compiling.locked(),
                              os.environ.get('TORCHINDUCTOR_CACHE_DIR')))
                return module(image)
            return run

        monkeypatch.setattr(torch, 'compile', stand_in)
        monkeypatch.setattr(torch_engine, 'require_compiler', lambda: None)
        return calls

    @pytest.mark.parametrize('variable', [None, '/elsewhere'])
    def test_they_hold_only_while_the_first_image_is_compiled(self, enet, seen, monkeypatch,
                                                              tmp_path, variable):
        if variable:
            monkeypatch.setenv('TORCHINDUCTOR_CACHE_DIR', variable)
        else:
            monkeypatch.delenv('TORCHINDUCTOR_CACHE_DIR', raising=False)
        before = inductor_config.freezing
        engine = build_engine(*enet, SMALL, ModelConfig(
            engine='torch', device='cpu', compile=True, cache_folder=str(tmp_path)))
        assert engine.name == 'torch cpu float32 compiled'
        for _ in range(2):
            engine.infer(noise(SMALL), confidence=False)
            assert inductor_config.freezing == before
            assert os.environ.get('TORCHINDUCTOR_CACHE_DIR') == variable
        assert seen == [(True, True, str(tmp_path / 'inductor')), (before, False, variable)]

    def test_they_are_restored_if_compilation_fails(self, enet, monkeypatch, tmp_path):
        def fail(module, dynamic):
            raise ConnectionError('the compiler is gone')

        monkeypatch.setattr(torch, 'compile', fail)
        before = inductor_config.freezing, os.environ.get('TORCHINDUCTOR_CACHE_DIR')
        run = compiler.CompiledModule(enet[0], tmp_path)
        for _ in range(2):  # a failed compilation is tried again
            with pytest.raises(ConnectionError):
                run(torch.zeros(1))
            assert before == (inductor_config.freezing, os.environ.get('TORCHINDUCTOR_CACHE_DIR'))
            assert not compiler._compiling.locked()


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a CUDA GPU')
def test_a_missing_gpu_is_an_error(enet):
    with pytest.raises(BadInput, match='sees no CUDA GPU; install'):
        build_engine(*enet, SMALL, ModelConfig(engine='torch', device='cuda'))


@pytest.fixture
def tf32():
    """Allow convolutions to round to TF32, as PyTorch does by default."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    yield
    torch.backends.cudnn.allow_tf32 = before


def test_cuda_graphs_are_recorded_one_at_a_time_and_without_tf32(tf32):
    class Unrecordable(torch_engine.CudaGraph):
        def __init__(self):
            self._graph = None

        def _record(self):
            assert not torch.backends.cudnn.allow_tf32
            assert torch_engine.recording.locked()
            raise ConnectionError('the GPU is gone')

    graph = Unrecordable()
    for _ in range(2):  # a failed recording is tried again
        with pytest.raises(ConnectionError):
            graph(noise(SMALL))
        assert torch.backends.cudnn.allow_tf32
        assert not torch_engine.recording.locked()


@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no CUDA GPU')
def test_graphs_are_recorded_while_another_thread_runs_one(enet, tf32):
    config = ModelConfig(engine='torch', device='cuda', precision='float32')
    expected, _ = reference(*enet, noise(SMALL), SMALL)
    running, done = build_engine(*enet, SMALL, config), threading.Event()

    def run():
        """Return the smallest share of correct labels until `done`; vary the allocations."""
        lowest = 1.0
        for turn in count():
            torch.empty((turn % 64 + 1) << 20, device='cuda')
            labels, _ = running.infer(noise(SMALL), confidence=False)
            lowest = min(lowest, (labels == expected).mean())
            if done.is_set():
                return lowest

    with ThreadPoolExecutor(1) as pool:
        lowest = pool.submit(run)
        try:
            for _ in range(5):
                labels, _ = build_engine(*enet, SMALL, config).infer(noise(SMALL), False)
                assert (labels == expected).mean() >= 0.999
        finally:
            done.set()
        assert lowest.result(timeout=60) >= 0.999


@needs_onnxruntime
@pytest.mark.parametrize('engine, provider', [('onnxruntime', 'cuda'), ('tensorrt', 'tensorrt')])
def test_a_missing_provider_is_an_error(enet, monkeypatch, engine, provider):
    import onnxruntime
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: ['CPUExecutionProvider'])
    with pytest.raises(BadInput, match=f'has no {onnxruntime_engine.PROVIDERS[provider]}; install '
                                       'onnxruntime-gpu in place of onnxruntime'):
        build_engine(*enet, SMALL, ModelConfig(engine=engine, device='cuda'))


@needs_onnxruntime
@pytest.mark.filterwarnings('ignore:Specified provider')
@pytest.mark.skipif(bool(gpu_name()), reason='there is a CUDA GPU')
def test_a_provider_that_does_not_start_is_an_error(enet, monkeypatch):
    import onnxruntime
    cuda = onnxruntime_engine.PROVIDERS['cuda']
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: [cuda])
    monkeypatch.setattr(onnxruntime, 'preload_dlls', lambda: None, raising=False)
    engine = build_engine(*enet, SMALL, ModelConfig(engine='onnxruntime', device='cuda'))
    assert engine.name == 'onnxruntime cuda float32'
    with pytest.raises(BadInput, match=f'{cuda} does not start.* or choose device cpu'):
        engine.infer(noise(SMALL), confidence=False)


class TestCache:
    def test_stored_content_is_not_rebuilt(self, tmp_path):
        assert load_or_build(tmp_path, 'thing', lambda: b'built') == b'built'
        assert load_or_build(tmp_path, 'thing', lambda: pytest.fail('it is rebuilt')) == b'built'
        assert [file.name for file in tmp_path.iterdir()] == ['thing']

    @pytest.mark.parametrize('damage', [
        lambda data: data[:-1], lambda data: data[:7], lambda data: data[:-1] + b'?',
        lambda data: b'?' + data[1:]], ids=['cut', 'cut short', 'changed', 'other digest'])
    def test_a_damaged_file_is_rebuilt(self, tmp_path, caplog, damage):
        load_or_build(tmp_path, 'thing', lambda: b'built')
        file = tmp_path / 'thing'
        file.write_bytes(damage(file.read_bytes()))
        assert load_or_build(tmp_path, 'thing', lambda: b'again') == b'again'
        assert f'{file} is damaged; its content is rebuilt' in caplog.text
        assert load_or_build(tmp_path, 'thing', lambda: pytest.fail('it is rebuilt')) == b'again'

    def test_a_file_that_can_be_neither_read_nor_replaced_is_logged(self, tmp_path, caplog):
        (tmp_path / 'thing' / 'within').mkdir(parents=True)
        assert load_or_build(tmp_path, 'thing', lambda: b'built') == b'built'
        assert 'cannot read' in caplog.text and 'cannot store' in caplog.text
        assert [file.name for file in tmp_path.iterdir()] == ['thing']

    def test_the_digest_depends_on_everything_that_the_graph_depends_on(self, enet):
        network, spec = enet
        fewer = replace(spec, labels=replace(CAMVID, classes=CAMVID.classes[:5]))
        digests = {graph_digest(network, spec, SMALL), graph_digest(network, spec, SMALL, True),
                   graph_digest(network, spec, InferenceSpec(64, 48, 32, 24)),
                   graph_digest(network, replace(spec, mean=(0.0, 0.0, 0.0)), SMALL),
                   graph_digest(network, replace(spec, temperature=2.0), SMALL),
                   graph_digest(make_model('enet', seed=6)[0], spec, SMALL),
                   graph_digest(fewer.build(), fewer, SMALL)}
        assert len(digests) == 7
        assert graph_digest(network, spec, SMALL) in digests

    @pytest.mark.parametrize('config', STORING)
    def test_an_outdated_or_damaged_graph_is_not_used(self, enet, config, tmp_path, caplog):
        config = replace(config, cache_folder=str(tmp_path))
        other = make_model('enet', seed=6)
        for network in (other, enet):
            build_engine(*network, SMALL, config).infer(noise(SMALL), confidence=False)
        first, second = tmp_path.glob('*.onnx')
        for file in (first, second):
            file.write_bytes(file.read_bytes()[:-9])
        labels, _ = build_engine(*enet, SMALL, config).infer(noise(SMALL), confidence=False)
        assert (labels == reference(*enet, noise(SMALL), SMALL)[0]).mean() >= 0.999
        assert 'is damaged; its content is rebuilt' in caplog.text

    @pytest.mark.parametrize('config', STORING)
    def test_an_unwritable_folder(self, enet, config, tmp_path, caplog):
        (tmp_path / 'file').touch()
        folder = tmp_path / 'file' / 'cache'
        engine = build_engine(*enet, SMALL, replace(config, cache_folder=str(folder)))
        assert f'cannot write to the cache folder {folder} (Not a directory)' in caplog.text
        labels, _ = engine.infer(noise(SMALL), confidence=False)
        assert (labels == reference(*enet, noise(SMALL), SMALL)[0]).mean() >= 0.999


@needs_onnxruntime
class TestTensorRtFolder:
    """The folder of compiled TensorRT engines; sessions run on the CPU instead."""

    @pytest.fixture
    def started(self, monkeypatch):
        """Return the options of the started sessions."""
        import onnxruntime
        options, start = [], onnxruntime_engine.start_session
        monkeypatch.setattr(onnxruntime, 'get_available_providers',
                            lambda: [*onnxruntime_engine.PROVIDERS.values()])

        def start_on_cpu(graph, providers, threads):
            options.append(dict(providers[0][1]))
            if folder := providers[0][1].get('trt_engine_cache_path'):
                stored = Path(folder, 'graph_sm80.engine')
                if stored.exists() and stored.read_bytes() != b'engine':
                    raise BadInput('the file is unreadable')
                stored.write_bytes(b'engine')
            return start(graph, [(onnxruntime_engine.PROVIDERS['cpu'], {})], threads)

        monkeypatch.setattr(onnxruntime_engine, 'start_session', start_on_cpu)
        return options

    def test_a_compiled_engine_is_stored_and_rebuilt_if_damaged(self, enet, started, tmp_path,
                                                                caplog):
        caplog.set_level(logging.INFO)
        config = ModelConfig(engine='tensorrt', cache_folder=str(tmp_path))

        def start():
            caplog.clear()
            engine = build_engine(*enet, SMALL, config)
            assert engine.name == 'tensorrt cuda float16'
            engine.infer(noise(SMALL), confidence=False)

        start()
        assert 'is compiling the network for 64x48 on this GPU' in caplog.text
        assert 'TensorRT compiled the network in' in caplog.text
        folder = started[0]['trt_engine_cache_path']
        assert Path(folder).parent == tmp_path / 'tensorrt'
        assert started[0] == {'trt_fp16_enable': True, 'trt_engine_cache_enable': True,
                              'trt_engine_cache_path': folder, 'trt_timing_cache_enable': True,
                              'trt_timing_cache_path': folder}
        start()
        assert started[1] == started[0]
        assert 'compil' not in caplog.text
        file, = Path(folder).glob('*.engine')
        file.write_bytes(b'damaged')
        start()
        assert 'does not load: the file is unreadable' in caplog.text
        assert 'TensorRT compiled the network in' in caplog.text
        assert file.read_bytes() == b'engine'

    def test_each_precision_and_graph_has_its_own(self, enet, started, tmp_path):
        for precision in ('float16', 'float32'):
            engine = build_engine(*enet, SMALL, ModelConfig(
                engine='tensorrt', precision=precision, cache_folder=str(tmp_path)))
            for confidence in (False, True):
                engine.infer(noise(SMALL), confidence)
        assert len({options['trt_engine_cache_path'] for options in started}) == 4
        assert [options['trt_fp16_enable'] for options in started] == [True, True, False, False]

    def test_an_unwritable_folder(self, enet, started, tmp_path, caplog):
        (tmp_path / 'file').touch()
        engine = build_engine(*enet, SMALL, ModelConfig(
            engine='tensorrt', cache_folder=str(tmp_path / 'file' / 'cache')))
        assert 'cannot write to the cache folder' in caplog.text
        engine.infer(noise(SMALL), confidence=False)
        assert started == [{'trt_fp16_enable': True}]
