"""Every engine gives the network's own answer, or says why it cannot."""

import logging
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
from torch.nn import functional as F

from enet_ros.config import ModelConfig
from enet_ros.engines import engine as chooser
from enet_ros.engines import onnxruntime_engine, torch_engine
from enet_ros.engines.cache import cached
from enet_ros.engines.device import gpu_name
from enet_ros.engines.engine import MAKERS, choose_engine, fastest, present
from enet_ros.engines.graph import InferenceSpec
from enet_ros.engines.onnx_graph import digest
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint, segnet
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.synthetic.street import SyntheticStreet

TASK = InferenceSpec(64, 48)
TASKS = [TASK, InferenceSpec(75, 61), InferenceSpec(33, 32), InferenceSpec(64, 48, 192, 112),
         InferenceSpec(75, 61, 33, 44),
         InferenceSpec(64, 48, 100, 77, 'linear'), InferenceSpec(75, 61, 150, 122, 'linear'),
         InferenceSpec(75, 61, 33, 44, 'linear')]


def absence(engine, device, precision):
    """Return why an engine cannot run on this machine, or None if it can."""
    package = MAKERS[engine][2].removesuffix('-gpu')
    if not find_spec(package):
        return f'{package} is not installed'
    if device == 'cuda':
        if not (torch.cuda.is_available() if engine == 'torch' else gpu_name()):
            return 'there is no CUDA GPU'
        if engine != 'torch':
            import onnxruntime
            provider = onnxruntime_engine.PROVIDERS[device if engine == 'onnxruntime' else engine]
            if provider not in onnxruntime.get_available_providers():
                return f'this ONNX Runtime has no {provider}'
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


EXACT = engines(('torch', 'cpu', 'float32'), ('openvino', 'cpu', 'float32'),
                ('onnxruntime', 'cpu', 'float32'), ('torch', 'cuda', 'float32'),
                ('onnxruntime', 'cuda', 'float32'), ('tensorrt', 'cuda', 'float32'))
REDUCED = engines(('openvino', 'cpu', 'bfloat16'), ('torch', 'cpu', 'bfloat16'),
                  ('torch', 'cuda', 'float16'), ('torch', 'cuda', 'bfloat16'),
                  ('tensorrt', 'cuda', 'float16'))
# Those that have no GPU behind them and keep their graph in the cache folder.
KEEPING = engines(('openvino', 'cpu', 'float32'), ('onnxruntime', 'cpu', 'float32'))
needs_onnxruntime = pytest.mark.skipif(not find_spec('onnxruntime'),
                                       reason='onnxruntime is not installed')


@pytest.fixture(scope='module', params=['enet', 'segnet'])
def model(request):
    """Return a network whose normalisations are not the identity, SegNet a thin one; its spec."""
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


def noise(task):
    """Return an image of noise, whose channels do not lie in their order in memory."""
    shape = task.height, task.width, 3
    return np.random.default_rng(task.width).integers(0, 256, shape, np.uint8)[:, :, ::-1]


def reference(network, spec, image, task):
    """Return labels and top probability as the network itself gives them."""
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (spec.mean, spec.std))
    x = torch.from_numpy(image.transpose(2, 0, 1).copy())[None] / 255
    with torch.inference_mode():
        logits = network((x - mean) / std)
        if task.filter == 'linear':
            logits = F.interpolate(logits, task.output_size[::-1], mode='bilinear')
        probability, labels = logits.softmax(1)[0].max(0)
    return [cv2.resize(plane, task.output_size, interpolation=cv2.INTER_NEAREST_EXACT)
            for plane in (labels.numpy().astype(np.uint8), probability.numpy())]


@pytest.mark.parametrize('task', TASKS, ids=lambda task: (
    f'{task.width}x{task.height}-{"x".join(map(str, task.output_size))}-{task.filter}'))
@pytest.mark.parametrize('config', EXACT)
def test_labels_and_confidence(model, config, task):
    image = noise(task)
    expected, probability = reference(*model, image, task)
    # TensorRT may round the factors of a float32 product to ten bits.
    least, furthest = (0.99, 5) if config.engine == 'tensorrt' else (0.999, 1)
    engine = choose_engine(*model, task, config)
    assert engine.name == f'{config.engine} {config.device} {config.precision}'
    assert engine.task == task
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
    task = InferenceSpec(320, 240)
    image = SyntheticStreet(320, 240, seed=3).render(0).image
    expected, probability = reference(network, spec, image, task)
    engine = choose_engine(network, spec, task, config)
    assert engine.name == f'{config.engine} {config.device} {config.precision}'
    labels, confidence = engine.infer(image, confidence=True)
    assert (labels == expected).mean() >= 0.99
    assert np.abs(confidence - 255 * probability).mean() < 3


@pytest.mark.parametrize('config', EXACT)
def test_images_of_another_size(enet, config):
    engine = choose_engine(*enet, TASK, config)
    with pytest.raises(BadInput, match=r'shape \(61, 75, 3\), the engine was made for 64x48'):
        engine.infer(noise(InferenceSpec(75, 61)), confidence=False)


@pytest.mark.parametrize('config', EXACT)
def test_the_model_is_left_as_it_was(model, config):
    network = model[0]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    choose_engine(*model, TASK, config).infer(noise(TASK), confidence=False)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize('settings, complaint', [
    ({'engine': 'magic'}, "engine is 'magic'; choose one of auto, torch"),
    ({'device': 'tpu'}, "device is 'tpu'; choose one of auto, cpu, cuda"),
    ({'precision': 'int4'}, "precision is 'int4'; choose one of auto, float32"),
])
def test_unknown_settings(settings, complaint):
    with pytest.raises(BadInput, match=complaint):
        ModelConfig(**settings)


@pytest.mark.parametrize('engine, device, precision, complaint', [
    ('torch', 'cpu', 'float16', 'float16 on GPUs only; choose precision bfloat16'),
    ('openvino', 'cpu', 'float16', 'cannot compute float16 on this processor; choose precision'),
    ('openvino', 'cuda', 'auto', 'runs on CPUs, and device cuda was asked for; choose device cpu'),
    ('onnxruntime', 'cpu', 'float16', 'precision float16 was asked for; choose precision auto'),
    ('onnxruntime', 'cpu', 'bfloat16', 'precision bfloat16 was asked for; choose precision auto'),
    ('tensorrt', 'cpu', 'auto', 'runs on NVIDIA GPUs, and device cpu was asked for; choose'),
    ('tensorrt', 'cuda', 'bfloat16', 'does not compute in bfloat16; choose precision float16'),
])
def test_what_an_engine_cannot_do(enet, engine, device, precision, complaint):
    if reason := absence(engine, 'cpu', precision='float32'):
        pytest.skip(reason)
    with pytest.raises(BadInput, match=complaint):
        choose_engine(*enet, TASK, ModelConfig(engine=engine, device=device, precision=precision))


@pytest.fixture
def uninstall(monkeypatch):
    """Return a function that hides a package from the choice of engines."""
    def hide(package):
        monkeypatch.setattr(chooser, 'find_spec',
                            lambda name: None if name == package else find_spec(name))
    return hide


@pytest.mark.parametrize('engine, package', [
    ('openvino', 'openvino'), ('onnxruntime', 'onnxruntime'), ('tensorrt', 'onnxruntime-gpu')])
def test_an_absent_engine_names_its_package(enet, uninstall, engine, package):
    uninstall(package.removesuffix('-gpu'))
    with pytest.raises(BadInput, match=f'engine {engine} needs the package {package}; pip install '
                                       f'{package}, or choose one of torch'):
        choose_engine(*enet, TASK, ModelConfig(engine=engine))
    assert engine not in present()


@pytest.mark.skipif(not find_spec('openvino'), reason='openvino is not installed')
def test_auto_takes_openvino_on_a_cpu(enet):
    engine = choose_engine(*enet, TASK, ModelConfig(device='cpu'))
    assert engine.name.startswith('openvino cpu')
    assert 'openvino is installed' in engine.reason


def test_auto_takes_torch_where_openvino_is_not_installed(enet, uninstall):
    uninstall('openvino')
    engine = choose_engine(*enet, TASK, ModelConfig(device='cpu'))
    assert engine.name == 'torch cpu float32'
    assert engine.reason == ('device cpu was asked for, and openvino, which is faster, is not '
                             'installed')


@pytest.fixture
def gpu(monkeypatch):
    """Let there be a GPU that this torch does not see."""
    monkeypatch.setattr(chooser, 'gpu_name', lambda: 'Orin')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)


@needs_onnxruntime
@pytest.mark.parametrize('device', ['auto', 'cuda'])
def test_auto_takes_cuda_of_onnxruntime_where_torch_sees_no_gpu(monkeypatch, gpu, device):
    import onnxruntime
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: [
        'TensorrtExecutionProvider', 'CUDAExecutionProvider', 'CPUExecutionProvider'])
    monkeypatch.setattr(chooser, 'TENSORRT', ('libabsent.so.10',))
    name, reason = fastest(device)
    assert name == 'onnxruntime' and 'ONNX Runtime has CUDA' in reason
    assert 'tensorrt' not in present()  # it was built in, but its libraries are missing
    monkeypatch.setattr(chooser, 'TENSORRT', ('libabsent.so.10', 'libc.so.6'))  # one that is there
    assert fastest(device)[0] == 'tensorrt' and 'tensorrt' in present()


def test_auto_says_where_no_runtime_can_use_the_gpu(monkeypatch, gpu):
    if find_spec('onnxruntime'):
        import onnxruntime
        monkeypatch.setattr(onnxruntime, 'get_available_providers',
                            lambda: ['CPUExecutionProvider'])
    assert 'no installed runtime can use the GPU Orin' in fastest('auto')[1]
    assert 'device cpu was asked for' in fastest('cpu')[1]
    monkeypatch.setattr(chooser, 'gpu_name', lambda: '')
    assert 'there is no GPU' in fastest('auto')[1]


@pytest.mark.parametrize('compiler', ['', 'absent++'])
def test_compiling_needs_a_compiler(enet, tmp_path, monkeypatch, compiler):
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.delenv('CXX', raising=False)
    if compiler:
        monkeypatch.setenv('CXX', compiler)
    with pytest.raises(BadInput, match=re.escape(f'{compiler or "g++"!r} is not found; install')):
        choose_engine(*enet, TASK, ModelConfig(engine='torch', device='cpu', compile=True))


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a CUDA GPU')
def test_an_absent_gpu_is_not_replaced(enet):
    with pytest.raises(BadInput, match='sees no CUDA GPU; install'):
        choose_engine(*enet, TASK, ModelConfig(engine='torch', device='cuda'))


@pytest.fixture
def tf32():
    """Allow convolutions to round to TF32, as PyTorch does by default."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    yield
    torch.backends.cudnn.allow_tf32 = before


def test_a_graph_is_recorded_alone_and_without_tf32(tf32):
    class Unrecordable(torch_engine.CudaGraph):
        def __init__(self):
            self.graph = None

        def _record(self):
            assert not torch.backends.cudnn.allow_tf32
            assert torch_engine.recording.locked()
            raise ConnectionError('the GPU is gone')

    graph = Unrecordable()
    for _ in range(2):  # what failed is tried again
        with pytest.raises(ConnectionError):
            graph(noise(TASK))
        assert torch.backends.cudnn.allow_tf32
        assert not torch_engine.recording.locked()


@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no CUDA GPU')
def test_graphs_are_recorded_while_another_thread_runs_one(enet, tf32):
    config = ModelConfig(engine='torch', device='cuda', precision='float32')
    expected, _ = reference(*enet, noise(TASK), TASK)
    running, done = choose_engine(*enet, TASK, config), threading.Event()

    def run():
        """Return the least share of right labels until `done`; take other memory each time."""
        worst = 1.0
        for turn in count():
            torch.empty((turn % 64 + 1) << 20, device='cuda')
            labels, _ = running.infer(noise(TASK), confidence=False)
            worst = min(worst, (labels == expected).mean())
            if done.is_set():
                return worst

    with ThreadPoolExecutor(1) as pool:
        worst = pool.submit(run)
        try:
            for _ in range(5):
                labels, _ = choose_engine(*enet, TASK, config).infer(noise(TASK), False)
                assert (labels == expected).mean() >= 0.999
        finally:
            done.set()
        assert worst.result(timeout=60) >= 0.999


@needs_onnxruntime
@pytest.mark.parametrize('engine, provider', [('onnxruntime', 'cuda'), ('tensorrt', 'tensorrt')])
def test_an_absent_provider_is_not_replaced(enet, monkeypatch, engine, provider):
    import onnxruntime
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: ['CPUExecutionProvider'])
    with pytest.raises(BadInput, match=f'has no {onnxruntime_engine.PROVIDERS[provider]}; install '
                                       'onnxruntime-gpu'):
        choose_engine(*enet, TASK, ModelConfig(engine=engine, device='cuda'))


@needs_onnxruntime
@pytest.mark.filterwarnings('ignore:Specified provider')
@pytest.mark.skipif(bool(gpu_name()), reason='there is a CUDA GPU')
def test_a_provider_that_does_not_start_is_not_replaced(enet, monkeypatch):
    import onnxruntime
    cuda = onnxruntime_engine.PROVIDERS['cuda']
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: [cuda])
    monkeypatch.setattr(onnxruntime, 'preload_dlls', lambda: None, raising=False)
    engine = choose_engine(*enet, TASK, ModelConfig(engine='onnxruntime', device='cuda'))
    assert engine.name == 'onnxruntime cuda float32'
    with pytest.raises(BadInput, match=f'{cuda} does not start.* or choose device cpu'):
        engine.infer(noise(TASK), confidence=False)


class TestCache:
    def test_what_is_kept_is_not_built_again(self, tmp_path):
        assert cached(tmp_path, 'thing', lambda: b'built') == b'built'
        assert cached(tmp_path, 'thing', lambda: pytest.fail('it is built again')) == b'built'
        assert [file.name for file in tmp_path.iterdir()] == ['thing']

    @pytest.mark.parametrize('damage', [
        lambda data: data[:-1], lambda data: data[:7], lambda data: data[:-1] + b'?',
        lambda data: b'?' + data[1:]], ids=['cut', 'cut short', 'changed', 'other digest'])
    def test_a_damaged_file_is_built_again(self, tmp_path, caplog, damage):
        cached(tmp_path, 'thing', lambda: b'built')
        file = tmp_path / 'thing'
        file.write_bytes(damage(file.read_bytes()))
        assert cached(tmp_path, 'thing', lambda: b'again') == b'again'
        assert f'{file} is damaged and is built anew' in caplog.text
        assert cached(tmp_path, 'thing', lambda: pytest.fail('it is built again')) == b'again'

    def test_a_file_that_can_be_neither_read_nor_replaced(self, tmp_path, caplog):
        (tmp_path / 'thing' / 'within').mkdir(parents=True)
        assert cached(tmp_path, 'thing', lambda: b'built') == b'built'
        assert 'cannot read' in caplog.text and 'cannot keep' in caplog.text
        assert [file.name for file in tmp_path.iterdir()] == ['thing']

    def test_the_name_changes_with_all_that_a_graph_depends_on(self, enet):
        network, spec = enet
        fewer = replace(spec, labels=replace(CAMVID, classes=CAMVID.classes[:5]))
        names = {digest(network, spec, TASK), digest(network, spec, TASK, True),
                 digest(network, spec, InferenceSpec(64, 48, 32, 24)),
                 digest(network, replace(spec, mean=(0.0, 0.0, 0.0)), TASK),
                 digest(make_model('enet', seed=6)[0], spec, TASK),
                 digest(fewer.build(), fewer, TASK)}
        assert len(names) == 6
        assert digest(network, spec, TASK) in names

    @pytest.mark.parametrize('config', KEEPING)
    def test_a_stale_or_damaged_graph_is_not_used(self, enet, config, tmp_path, caplog):
        config = replace(config, cache_folder=str(tmp_path))
        other = make_model('enet', seed=6)
        for network in (other, enet):
            choose_engine(*network, TASK, config).infer(noise(TASK), confidence=False)
        first, second = tmp_path.glob('*.onnx')
        for file in (first, second):
            file.write_bytes(file.read_bytes()[:-9])
        labels, _ = choose_engine(*enet, TASK, config).infer(noise(TASK), confidence=False)
        assert (labels == reference(*enet, noise(TASK), TASK)[0]).mean() >= 0.999
        assert 'is damaged and is built anew' in caplog.text

    @pytest.mark.parametrize('config', KEEPING)
    def test_an_unwritable_folder(self, enet, config, tmp_path, caplog):
        (tmp_path / 'file').touch()
        folder = tmp_path / 'file' / 'cache'
        engine = choose_engine(*enet, TASK, replace(config, cache_folder=str(folder)))
        assert f'cannot write to the cache folder {folder} (Not a directory)' in caplog.text
        labels, _ = engine.infer(noise(TASK), confidence=False)
        assert (labels == reference(*enet, noise(TASK), TASK)[0]).mean() >= 0.999


@needs_onnxruntime
class TestTensorRtFolder:
    """What surrounds TensorRT's compiling, with a session on the CPU in its place."""

    @pytest.fixture
    def started(self, monkeypatch):
        """Return the options of the sessions started; `fails` makes a kept engine unusable."""
        import onnxruntime
        options, start = [], onnxruntime_engine.start_session
        monkeypatch.setattr(onnxruntime, 'get_available_providers',
                            lambda: [*onnxruntime_engine.PROVIDERS.values()])

        def start_on_cpu(graph, providers, threads):
            options.append(dict(providers[0][1]))
            if folder := providers[0][1].get('trt_engine_cache_path'):
                kept = Path(folder, 'graph_sm80.engine')
                if kept.exists() and kept.read_bytes() != b'engine':
                    raise BadInput('it cannot be read')
                kept.write_bytes(b'engine')
            return start(graph, [(onnxruntime_engine.PROVIDERS['cpu'], {})], threads)

        monkeypatch.setattr(onnxruntime_engine, 'start_session', start_on_cpu)
        return options

    def test_it_is_kept_and_built_anew_where_damaged(self, enet, started, tmp_path, caplog):
        caplog.set_level(logging.INFO)
        config = ModelConfig(engine='tensorrt', cache_folder=str(tmp_path))

        def start():
            caplog.clear()
            engine = choose_engine(*enet, TASK, config)
            assert engine.name == 'tensorrt cuda float16'
            engine.infer(noise(TASK), confidence=False)

        start()
        assert 'compiles the network for 64x48 on this GPU; that may take minutes' in caplog.text
        assert 'TensorRT compiled the network in' in caplog.text
        folder = started[0]['trt_engine_cache_path']
        assert Path(folder).parent == tmp_path / 'tensorrt'
        assert started[0] == {'trt_fp16_enable': True, 'trt_engine_cache_enable': True,
                              'trt_engine_cache_path': folder, 'trt_timing_cache_enable': True,
                              'trt_timing_cache_path': folder}
        start()
        assert started[1] == started[0]
        assert 'compiles' not in caplog.text
        file, = Path(folder).glob('*.engine')
        file.write_bytes(b'damaged')
        start()
        assert 'does not load: it cannot be read' in caplog.text
        assert 'TensorRT compiled the network in' in caplog.text
        assert file.read_bytes() == b'engine'

    def test_each_precision_and_answer_has_its_own(self, enet, started, tmp_path):
        for precision in ('float16', 'float32'):
            engine = choose_engine(*enet, TASK, ModelConfig(
                engine='tensorrt', precision=precision, cache_folder=str(tmp_path)))
            for confidence in (False, True):
                engine.infer(noise(TASK), confidence)
        assert len({options['trt_engine_cache_path'] for options in started}) == 4
        assert [options['trt_fp16_enable'] for options in started] == [True, True, False, False]

    def test_an_unwritable_folder(self, enet, started, tmp_path, caplog):
        (tmp_path / 'file').touch()
        engine = choose_engine(*enet, TASK, ModelConfig(
            engine='tensorrt', cache_folder=str(tmp_path / 'file' / 'cache')))
        assert 'cannot write to the cache folder' in caplog.text
        engine.infer(noise(TASK), confidence=False)
        assert started == [{'trt_fp16_enable': True}]
