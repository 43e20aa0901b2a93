"""The measurement of engines, its file, and the choice that follows from it."""

import json
import logging
import math
import os
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from enet_ros import cli
from enet_ros.config import LatencyConfig, ModelConfig, SegmentationConfig
from enet_ros.engines import engine as engine_module
from enet_ros.engines import selection
from enet_ros.engines.engine import EngineClass, installed_engines
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.selection import select_engine
from enet_ros.engines.tuning import (
    TIMED_RUNS,
    Measurement,
    Setting,
    Tuning,
    measure,
    percent,
    table,
)
from enet_ros.engines.tuning_file import load_tuning, store_tuning
from enet_ros.errors import BadInput
from enet_ros.latency.model_pool import ModelPool
from enet_ros.models import checkpoint
from enet_ros.segmenter import Segmenter

IMAGE = np.zeros((40, 50, 3), np.uint8)
EXPECTED = np.zeros((40, 50), np.uint8)
SMALL = InferenceSpec(64, 48)
EXACT, FAST = Setting('exact', 'float32'), Setting('fast', 'float16')
SLOW, WRONG = Setting('slow', 'float32'), Setting('wrong', 'bfloat16')
ABSENT = Setting('absent', 'float32')
needs_openvino = pytest.mark.skipif(bool(engine_module.missing_packages('openvino')),
                                    reason='openvino is not installed')
needs_onnxruntime = pytest.mark.skipif(not find_spec('onnxruntime'),
                                       reason='onnxruntime is not installed')


class FakeClock:
    """Seconds that pass only while a fake engine runs."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class FakeEngine:
    """An engine that takes a number of seconds and errs in some of 2000 pixels."""

    def __init__(self, clock, seconds, errors=0):
        self.clock, self.seconds, self.runs = clock, seconds, 0
        self.labels = EXPECTED.copy()
        self.labels.flat[:errors] = 1

    def infer(self, image, confidence):
        assert image is IMAGE and not confidence
        self.clock.now += self.seconds
        self.runs += 1
        return self.labels, None


def measured(**engines):
    """Measure fake engines, each given as (seconds, errors); None is one that does not run."""
    clock, built = FakeClock(), {}

    def builder(setting, arguments):
        def build():
            assert setting not in built
            if arguments is None:
                raise BadInput('it is missing')
            built[setting] = FakeEngine(clock, *arguments)
            return built[setting]
        return build

    settings = {each.engine: each for each in (EXACT, FAST, SLOW, WRONG, ABSENT)}
    tuning, engines = measure({settings[name]: builder(settings[name], arguments)
                               for name, arguments in engines.items()}, IMAGE, EXPECTED, clock)
    assert engines == built
    return tuning, engines


class TestMeasurement:
    def test_the_fastest_accurate_engine_is_chosen(self):
        tuning, _ = measured(exact=(0.02, 0), fast=(0.015, 2), wrong=(0.011, 3))
        assert tuning.chosen == Measurement(FAST, pytest.approx(15.0), 0.999)
        assert tuning.reason() == (
            'fastest on a test frame (exact float32 20.0 ms with 100.00 % of labels, '
            'fast float16 15.0 ms with 99.90 % of labels, '
            'wrong bfloat16 11.0 ms with 99.85 % of labels equal to float32; '
            'at least 99.90 % are required)')

    def test_without_an_accurate_engine_the_most_accurate_is_chosen(self):
        tuning, _ = measured(wrong=(0.01, 30), slow=(0.015, 20))
        assert tuning.chosen.setting == SLOW
        assert tuning.reason().startswith('most accurate on a test frame (')

    def test_slow_engines_stop_after_one_timed_run(self):
        _, engines = measured(exact=(0.01, 0), fast=(0.019, 0), slow=(0.021, 0))
        assert engines[EXACT].runs == engines[FAST].runs == 1 + 2 * TIMED_RUNS
        assert engines[SLOW].runs == 1 + 2

    def test_slow_engines_are_measured_if_requested(self):
        clock = FakeClock()
        engines = {EXACT: FakeEngine(clock, 0.01), SLOW: FakeEngine(clock, 1.0)}
        measure({setting: lambda engine=engine: engine for setting, engine in engines.items()},
                IMAGE, EXPECTED, clock, runs=9, slow_factor=math.inf)
        assert engines[SLOW].runs == engines[EXACT].runs == 1 + 2 * 9

    def test_a_fast_inaccurate_engine_stops_no_accurate_one(self):
        _, engines = measured(exact=(0.01, 0), wrong=(0.001, 100))
        assert engines[EXACT].runs == 1 + 2 * TIMED_RUNS

    def test_inaccurate_engines_alone_are_all_measured(self):
        tuning, engines = measured(wrong=(0.01, 100), fast=(0.05, 90))
        assert tuning.chosen.setting == FAST and engines[FAST].runs == 1 + 2

    def test_engines_that_do_not_run_are_failures(self):
        tuning, _ = measured(absent=None, exact=(0.01, 0))
        assert tuning.failures == {ABSENT: 'it is missing'} and tuning.chosen.setting == EXACT

    def test_no_engine_runs(self):
        tuning, engines = measured(absent=None)
        assert tuning.chosen is None and engines == {}
        assert tuning.reason() == 'no other engine runs'

    def test_table(self):
        tuning, _ = measured(exact=(0.02, 0), wrong=(0.011, 3), absent=None)
        assert list(table(tuning)) == [
            '| engine | precision | ms | labels equal to float32 |  |',
            '| --- | --- | --- | --- | --- |',
            '| wrong | bfloat16 | 11.0 | 99.85 % | below 99.90 % |',
            '| exact | float32 | 20.0 | 100.00 % | chosen |',
            '', '- absent float32: it is missing']

    def test_shares_are_not_rounded_up(self):
        assert [percent(share) for share in (1.0, 0.99999, 0.9989999)] == [
            '100.00 %', '99.99 %', '99.89 %']


class TestFile:
    TUNING = Tuning((Measurement(EXACT, 20.5, 1.0), Measurement(FAST, 15.25, 0.9991)),
                    {ABSENT: 'it is missing'})
    HERE = {'cores': 2, 'torch': '2.9', 'settings': [str(each) for each in (EXACT, FAST, ABSENT)]}

    def test_round_trip(self, tmp_path, caplog):
        file = tmp_path / 'tuning.json'
        assert load_tuning(file, self.HERE) is None
        store_tuning(file, self.TUNING, self.HERE)
        assert load_tuning(file, self.HERE) == self.TUNING
        assert not caplog.text and list(tmp_path.iterdir()) == [file]

    def test_another_machine_or_version_is_measured_again(self, tmp_path, caplog):
        caplog.set_level(logging.INFO)
        file = tmp_path / 'tuning.json'
        store_tuning(file, self.TUNING, self.HERE)
        assert load_tuning(file, {'cores': 4, 'torch': '2.9', 'openvino': '2025'}) is None
        assert (f'{file} is of a machine that differs in cores, openvino; the engines are '
                'measured again') in caplog.text

    @pytest.mark.parametrize('damage', [
        lambda data: data[:-9], lambda data: b'', lambda data: b'\xff' + data, lambda data: b'[1]',
        lambda data: data.replace(b'20.5', b'NaN'), lambda data: data.replace(b'20.5', b'"fast"'),
        lambda data: data.replace(b'measurements', b'figures'), lambda data: b'[' * 5000],
        ids=['cut', 'empty', 'not text', 'a list', 'NaN', 'a word', 'without figures', 'deep'])
    def test_a_damaged_file_is_measured_again(self, tmp_path, caplog, damage):
        file = tmp_path / 'tuning.json'
        store_tuning(file, self.TUNING, self.HERE)
        file.write_bytes(damage(file.read_bytes()))
        assert load_tuning(file, self.HERE) is None
        assert str(file) in caplog.text and 'the engines are measured again' in caplog.text

    def test_a_folder_in_its_place_is_logged(self, tmp_path, caplog):
        file = tmp_path / 'tuning.json'
        file.mkdir()
        store_tuning(file, self.TUNING, self.HERE)
        assert f'cannot store {file}' in caplog.text
        assert load_tuning(file, self.HERE) is None and f'cannot read {file}' in caplog.text


class Fakes:
    """Selection among fake engines: onnxruntime is fast in float16, openvino has two precisions.

    seconds: of a frame of each setting; failing: settings that do not run; built: what was built
    in the last selection.
    """

    def __init__(self, folder):
        self.folder, self.clock = folder, FakeClock()
        self.seconds = {Setting('onnxruntime', 'float16'): 0.01,
                        Setting('openvino', 'float32'): 0.03,
                        Setting('openvino', 'bfloat16'): 0.02}
        self.failing = set()
        self.built = []

    def build(self, network, spec, inference_spec, config):
        setting = Setting(config.engine, config.precision)
        self.built.append(setting)
        if setting in self.failing:
            raise BadInput(f'{setting} is broken')
        return FakeEngine(self.clock, self.seconds.get(setting, 0.1))

    def select(self, inference_spec=SMALL, **settings):
        """Return the selected setting, and the reason."""
        self.built.clear()
        config = ModelConfig(**{'device': 'cpu', 'cache_folder': str(self.folder), **settings})
        selected = select_engine(None, None, inference_spec, config, self.clock)
        return Setting(selected.config.engine, selected.config.precision), selected.reason


REFERENCE = Setting('torch', 'float32')
FASTEST = Setting('onnxruntime', 'float16')


@pytest.fixture
def fakes(monkeypatch, tmp_path):
    fakes = Fakes(tmp_path / 'cache')
    precisions = {'torch': (), 'onnxruntime': ('float16',), 'openvino': ('float32', 'bfloat16')}
    for name, replacement in {
            'ENGINE_CLASSES': {name: EngineClass('', '', (), value)
                               for name, value in precisions.items()},
            'engines_for': lambda network: list(precisions), 'missing_packages': lambda name: [],
            'build_engine': fakes.build, 'network_digest': lambda network, spec: 'digest',
            'street_image': lambda width, height: IMAGE}.items():
        monkeypatch.setattr(selection, name, replacement)
    return fakes


class TestSelection:
    def test_auto_selects_the_fastest_and_builds_each_engine_once(self, fakes):
        setting, reason = fakes.select()
        assert setting == FASTEST
        assert fakes.built == [REFERENCE, *fakes.seconds]
        assert reason.startswith('device cpu is requested; fastest on a test frame (onnxruntime '
                                 'float16 10.0 ms with 100.00 % of labels, openvino float32 30.0 ')

    def test_the_choice_is_stored(self, fakes):
        first = fakes.select()
        assert fakes.select() == first and fakes.built == [FASTEST]

    @pytest.mark.parametrize('other', [
        {'inference_spec': InferenceSpec(96, 64)}, {'threads': 1}, {'precision': 'float16'}])
    def test_other_sizes_threads_and_precisions_are_measured_apart(self, fakes, other):
        fakes.select()
        fakes.select(**other)
        assert fakes.built[0] == REFERENCE
        fakes.select()
        assert fakes.built == [FASTEST]

    def test_another_environment_is_measured_again(self, fakes, monkeypatch, caplog):
        caplog.set_level(logging.INFO)
        fakes.select()
        monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: range(77))
        fakes.select()
        assert fakes.built[0] == REFERENCE
        assert 'differs in cores; the engines are measured again' in caplog.text
        fakes.select()
        assert fakes.built == [FASTEST]

    def test_a_new_engine_is_measured(self, fakes, monkeypatch):
        monkeypatch.setattr(selection, 'engines_for', lambda network: ['torch', 'openvino'])
        assert fakes.select()[0] == Setting('openvino', 'bfloat16')
        monkeypatch.setattr(selection, 'engines_for',
                            lambda network: list(selection.ENGINE_CLASSES))
        assert fakes.select()[0] == FASTEST

    def test_a_damaged_file_is_measured_again(self, fakes, caplog):
        fakes.select()
        file, = fakes.folder.iterdir()
        file.write_text('{')
        assert fakes.select()[0] == FASTEST and fakes.built[0] == REFERENCE
        assert f'{file} is damaged' in caplog.text
        fakes.select()
        assert fakes.built == [FASTEST]

    def test_without_a_cache_folder_each_start_measures(self, fakes, caplog):
        fakes.folder.touch()
        for _ in range(2):
            assert fakes.select()[0] == FASTEST and fakes.built[0] == REFERENCE
        assert 'cannot write to the cache folder' in caplog.text

    @pytest.mark.parametrize('precision, engine', [
        ('float32', 'openvino'), ('bfloat16', 'openvino'), ('float16', 'onnxruntime')])
    def test_a_requested_precision_limits_the_candidates(self, fakes, precision, engine):
        assert fakes.select(precision=precision)[0] == (engine, precision)
        assert fakes.built == [REFERENCE, (engine, precision)]

    def test_the_precisions_of_a_requested_engine_are_measured(self, fakes):
        setting, reason = fakes.select(engine='openvino')
        assert setting == ('openvino', 'bfloat16')
        assert reason.startswith('requested; fastest on a test frame (')
        assert fakes.built == [REFERENCE, ('openvino', 'float32'), ('openvino', 'bfloat16')]

    @pytest.mark.parametrize('engine, precision', [('openvino', 'float32'), ('torch', 'auto')])
    def test_nothing_is_measured_if_nothing_is_open(self, fakes, engine, precision):
        assert fakes.select(engine=engine, precision=precision) == (
            (engine, precision), 'requested')
        assert fakes.built == [(engine, precision)]

    def test_engines_that_do_not_run_are_logged(self, fakes, caplog):
        caplog.set_level(logging.INFO)
        fakes.failing = {FASTEST}
        assert fakes.select()[0] == Setting('openvino', 'bfloat16')
        assert 'engine onnxruntime float16 does not run: onnxruntime float16 is broken' in (
            caplog.text)

    def test_torch_is_the_last_resort(self, fakes):
        fakes.failing = set(fakes.seconds)
        assert fakes.select() == (('torch', 'auto'), 'device cpu is requested; no other engine '
                                                     'runs')

    def test_a_requested_engine_that_does_not_run_is_an_error(self, fakes):
        fakes.failing = set(fakes.seconds)
        with pytest.raises(BadInput, match='openvino float32 is broken'):
            fakes.select(engine='openvino')
        fakes.failing.clear()  # for another device, say
        assert fakes.select(engine='openvino')[0] == Setting('openvino', 'bfloat16')

    def test_labels_unlike_those_of_float32_are_a_warning(self, fakes, monkeypatch, caplog):
        build = fakes.build

        def build_wrong(*arguments):
            engine = build(*arguments)
            if fakes.built[-1] != REFERENCE:
                engine.labels = EXPECTED + 1
            return engine

        monkeypatch.setattr(selection, 'build_engine', build_wrong)
        fakes.select()
        assert 'no engine gives the labels of float32; most accurate on a test frame' in (
            caplog.text)


def test_no_engine_but_torch_is_installed(monkeypatch, tiny_model, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(engine_module, 'find_spec',
                        lambda name: None if name == 'openvino' else find_spec(name))
    monkeypatch.setattr(engine_module, 'LIBRARY', tmp_path / 'libabsent.so')
    selection._log_once.cache_clear()
    for _ in range(2):
        segmenter = Segmenter.load(tiny_model, device='cpu')
        assert segmenter.engine.name == 'torch cpu float32'
        assert segmenter.engine_reason == 'device cpu is requested'
    assert caplog.text.count(
        'usually faster, but not installed: native (reinstall the package where CMake finds a '
        'C++ compiler), openvino (pip install openvino)') == 1


@needs_openvino
def test_the_engines_of_this_machine(tmp_path):
    network, spec = checkpoint.load('enet_camvid')
    config = ModelConfig(device='cpu', cache_folder=str(tmp_path))
    first = select_engine(network, spec, InferenceSpec(160, 96), config)
    assert first.config.engine != 'auto' and first.config.precision != 'auto'
    assert first.engine.name == f'{first.config.engine} cpu {first.config.precision}'
    assert 'fastest on a test frame' in first.reason and 'openvino float32' in first.reason
    file, = tmp_path.glob('tuning_*.json')
    figures = json.loads(file.read_text())
    accuracy = {(item['engine'], item['precision']): item['agreement']
                for item in figures['measurements']}
    assert all(share >= 0.999 for (_, precision), share in accuracy.items()
               if precision == 'float32')
    assert all(share >= 0.99 for share in accuracy.values())
    again = select_engine(network, spec, InferenceSpec(160, 96), config)
    assert (again.config, again.reason) == (first.config, first.reason)


@needs_openvino
def test_a_model_at_several_sizes_is_measured_at_the_largest(tiny_model, tmp_path):
    pool = ModelPool(SegmentationConfig(
        model=ModelConfig(path=str(tiny_model), device='cpu', cache_folder=str(tmp_path)),
        latency=LatencyConfig(budget_ms=50.0, adaptive=True, sizes=('64x48', '32x32'))),
        FakeClock())
    assert len(list(tmp_path.glob('tuning_*.json'))) == 1
    assert len({segmenter.engine.name for segmenter in pool.segmenters.values()}) == 1
    assert 'fastest on a test frame' in pool.summary()['engine reason']


class TestCommand:
    @needs_openvino
    def test_the_table_is_printed_and_the_choice_stored(self, tiny_model, tmp_path, capsys):
        arguments = ['tune', str(tiny_model), '--width', '96', '--threads', '1',
                     '--cache-folder', str(tmp_path)]
        assert cli.main(arguments) == 0
        title, _, head, _, *rows = capsys.readouterr().out.splitlines()
        assert title.startswith(f'{tiny_model}, 96x48, ') and title.endswith('threads: 1')
        assert head == '| engine | precision | ms | labels equal to float32 |  |'
        chosen, = [row.split('|')[1:3] for row in rows if 'chosen' in row]
        file, = tmp_path.glob('tuning_*.json')
        written = file.stat().st_mtime_ns
        segmenter = Segmenter.load(tiny_model, width=96, threads=1, cache_folder=str(tmp_path),
                                   device='cpu')
        assert [segmenter.config.engine, segmenter.config.precision] == [
            cell.strip() for cell in chosen]
        assert file.stat().st_mtime_ns == written

    @pytest.mark.parametrize('engine, precision', [('torch', 'auto'), ('openvino', 'float32')])
    def test_nothing_to_measure(self, tiny_model, capsys, engine, precision):
        assert cli.main(['tune', str(tiny_model), '--engine', engine,
                         '--precision', precision]) == 1
        assert capsys.readouterr().err == (
            f'enet: engine {engine} and precision {precision} leave nothing to measure; choose '
            'engine and precision auto, and install openvino and onnx\n')


@pytest.fixture
def gpu(monkeypatch):
    """Let there be a GPU that this torch does not see, and engines that are not built."""
    for module in (engine_module, selection):
        monkeypatch.setattr(module, 'gpu_name', lambda: 'Orin')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(selection, 'build_engine', lambda *arguments: None)
    monkeypatch.setattr(selection, 'open_settings', lambda *arguments: [])


def selected_for(config):
    return select_engine(None, None, SMALL, config)


@needs_onnxruntime
@pytest.mark.parametrize('device', ['auto', 'cuda'])
def test_auto_selects_onnxruntime_with_cuda_if_torch_sees_no_gpu(monkeypatch, gpu, device):
    import onnxruntime
    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: [
        'TensorrtExecutionProvider', 'CUDAExecutionProvider', 'CPUExecutionProvider'])
    monkeypatch.setattr(engine_module, 'TENSORRT_LIBRARIES', ('libabsent.so.10',))
    selected = selected_for(ModelConfig(device=device))
    assert selected.config.engine == 'onnxruntime'
    assert 'ONNX Runtime has CUDA' in selected.reason
    assert 'tensorrt' not in installed_engines()  # built in, but its libraries are missing
    monkeypatch.setattr(engine_module, 'TENSORRT_LIBRARIES', ('libabsent.so.10', 'libc.so.6'))
    assert selected_for(ModelConfig(device=device)).config.engine == 'tensorrt'
    assert 'tensorrt' in installed_engines()


def test_auto_says_if_no_runtime_can_use_the_gpu(monkeypatch, gpu):
    if find_spec('onnxruntime'):
        import onnxruntime
        monkeypatch.setattr(onnxruntime, 'get_available_providers',
                            lambda: ['CPUExecutionProvider'])
    assert selected_for(ModelConfig()).reason == 'no installed runtime can use the GPU Orin'
    assert selected_for(ModelConfig(device='cpu')).reason == 'device cpu is requested'
    monkeypatch.setattr(selection, 'gpu_name', lambda: '')
    assert selected_for(ModelConfig()).reason == 'there is no GPU'
