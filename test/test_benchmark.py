"""What `enet benchmark` measures and reports."""

import io
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from enet_ros.benchmark import baselines
from enet_ros.benchmark.candidates import (
    engine_candidate,
    engine_candidates,
    engine_settings,
    slow_precisions,
    unavailable_engines,
)
from enet_ros.benchmark.comparison import Comparison
from enet_ros.benchmark.measure import Measurement, measure, warm_up
from enet_ros.benchmark.networks import random_network, street_frames
from enet_ros.benchmark.plan import FULL, QUICK, Plan, make_plan
from enet_ros.benchmark.report import ReportFolder, markdown
from enet_ros.benchmark.results import engine_of
from enet_ros.benchmark.startup import StartupFailed, measure_startup
from enet_ros.benchmark.status_line import StatusLine
from enet_ros.benchmark.targets import targets
from enet_ros.config import ENGINES
from enet_ros.engines.engine import installed_engines
from enet_ros.engines.native_library import LIBRARY
from enet_ros.errors import BadInput
from enet_ros.models import checkpoint
from enet_ros.models.cost import cost_of
from enet_ros.models.enet import ENet
from enet_ros.models.segnet import SegNet


class Machine:
    """A clock that advances only while its candidates run, and the calls of the candidates."""

    def __init__(self):
        self.now = 0.0
        self.slowness = 1.0
        self.calls = []

    def clock(self):
        return self.now

    def candidate(self, name, seconds):
        def run(image):
            self.now += seconds * self.slowness
            self.calls.append((name, int(image[0, 0, 0])))
            return np.zeros(image.shape[:2], np.uint8)
        return run


FRAMES = [np.full((2, 3, 3), number, np.uint8) for number in range(3)]


# Measuring

def test_candidates_take_turns():
    machine = Machine()
    measured = measure({'a': machine.candidate('a', 0.25), 'b': machine.candidate('b', 2.0)},
                       FRAMES, rounds=2, turn_s=1.0, candidate_s=1e9, clock=machine.clock)
    assert ''.join(name for name, _ in machine.calls) == 2 * 'aaaab'
    # The first frame of a turn counts only if it is the only one, as in b's turns.
    assert measured['a'].turns == [3 * [250.0]] * 2
    assert measured['b'].turns == [[2000.0]] * 2


def test_the_prediction_for_every_frame_is_copied():
    shared = np.zeros((2, 3), np.uint8)

    def run(image):
        shared[:] = image[..., 0] + 5  # an engine that reuses its array
        machine.now += 2.0
        return shared

    machine = Machine()
    measured = measure({'a': run}, FRAMES, 4, 1.0, 1e9, machine.clock)
    assert [labels[0, 0] for labels in measured['a'].labels] == [5, 6, 7]


def test_slow_candidates_have_fewer_rounds_but_at_least_three():
    machine, reported = Machine(), []
    candidates = {name: machine.candidate(name, seconds)
                  for name, seconds in (('a', 0.5), ('b', 2.0), ('c', 100.0))}
    measured = measure(candidates, FRAMES, 6, 1.0, candidate_s=8.0, clock=machine.clock,
                       report=lambda number, name: reported.append(f'{number}{name}'))
    assert [len(each.turns) for each in measured.values()] == [6, 4, 3]
    assert ' '.join(reported) == '0a 0b 0c 1a 1b 1c 2a 2b 2c 3a 3b 4a 5a'
    few = measure(candidates, FRAMES, 2, 1.0, candidate_s=8.0, clock=machine.clock)
    assert [len(each.turns) for each in few.values()] == [2, 2, 2]


def test_warm_up_has_a_minimum_of_seconds_and_of_frames():
    machine = Machine()
    quick, slow = machine.candidate('quick', 0.25), machine.candidate('slow', 9.0)
    assert warm_up(quick, FRAMES[0], 1.0, clock=machine.clock) == 0.25
    assert warm_up(slow, FRAMES[0], 1.0, clock=machine.clock) == 9.0
    assert warm_up(slow, FRAMES[0], 1.0, 1, machine.clock) == 9.0
    assert [name for name, _ in machine.calls] == [*4 * ['quick'], *3 * ['slow']]


def test_speedups_are_right_on_a_machine_that_slows_down():
    machine = Machine()

    def drifting(image):
        machine.slowness *= 3
        return quick(image)

    quick, slow = machine.candidate('quick', 1.0), machine.candidate('slow', 4.0)
    measured = measure({'quick': drifting, 'slow': slow}, FRAMES, 3, 0.5, 1e9, machine.clock)
    assert measured['quick'].p95 > 5 * measured['quick'].turns[0][0]
    assert measured['quick'].speedup_over(measured['slow']) == pytest.approx(4)
    assert measured['slow'].speedup_over(measured['quick']) == pytest.approx(1 / 4)


def test_statistics_of_a_measurement():
    one = Measurement([[1.0, 2.0], [3.0, 100.0]],
                   [np.array([[1, 2, 3, 4]]), np.array([[1, 1, 1, 1]])])
    other = Measurement([[2.0]], [np.array([[1, 2, 3, 5]])])
    assert one.median == 2.5
    assert one.p95 == pytest.approx(np.percentile([1, 2, 3, 100], 95))
    assert Measurement([[5.0], [9.0]], []).milliseconds_above(other) == 3.0
    assert one.agreement(other) == 0.75  # over the one frame that both predicted


# Cost

def test_cost_of_enet():
    with torch.device('meta'):
        cost = cost_of(ENet(12), 640, 360)
    assert cost.parameters == 363_856
    assert cost.gflops == pytest.approx(3.396, abs=0.001)
    assert cost.fp16_mib == pytest.approx(0.694, abs=0.001)


def test_cost_of_segnet_is_that_of_the_paper_if_biases_and_relus_count():
    with torch.device('meta'):
        network = SegNet(20)
    cost = cost_of(network, 640, 360)
    assert cost.parameters == 29_454_548
    assert cost.fp16_mib == pytest.approx(56.2, abs=0.05)
    elements = []
    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.ReLU)):
            module.register_forward_hook(lambda _, __, result: elements.append(result.numel()))
    network(torch.empty(1, 3, 360, 640, device='meta'))
    assert cost.gflops + sum(elements) / 1e9 == pytest.approx(286.03, abs=0.01)


def test_counting_does_not_change_the_network():
    network = ENet(5)
    cost_of(network, 64, 48)
    assert {parameter.device.type for parameter in network.parameters()} == {'cpu'}


# Baselines and engines

@pytest.fixture(scope='module')
def street():
    return street_frames(64, 48, 1)[0]


def network_labels(network, spec, image):
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (spec.mean, spec.std))
    x = torch.from_numpy(image.transpose(2, 0, 1).copy())[None] / 255
    with torch.inference_mode():
        return network((x - mean) / std)[0].argmax(0).numpy()


@pytest.mark.parametrize('baseline, package, agreement', [
    (baselines.plain_pytorch, 'torch', 0.999),
    (baselines.plain_onnxruntime, 'onnxruntime', 0.999),
    (baselines.plain_openvino, 'openvino', 0.9),  # bfloat16 on processors that have it
    (baselines.plain_opencv, 'cv2', 0.999),
    (baselines.direct_openvino, 'openvino', 0.999),
])
def test_baselines_give_the_labels_of_the_network(tiny_model, street, baseline, package,
                                                  agreement):
    pytest.importorskip(package)
    network, spec = checkpoint.load(tiny_model)
    labels = baseline(network, spec, 64, 48, threads=1)(street)
    assert labels.dtype == np.uint8 and labels.shape == (48, 64)
    assert len(np.unique(labels)) > 1
    assert (labels == network_labels(network, spec, street)).mean() >= agreement


def test_the_pooling_of_pytorch_gives_the_same_labels(tiny_model, street):
    _, spec = checkpoint.load(tiny_model)
    network, spec = random_network('segnet', spec)
    labels = baselines.plain_pytorch(network, spec, 64, 48)(street)
    assert (labels == network_labels(network, spec, street)).mean() > 0.999


def test_every_installed_engine_is_a_candidate(tiny_model, street):
    found = engine_candidates()
    assert {each.name.split()[0] for each in found} == set(installed_engines()) - (
        set() if torch.cuda.is_available() else {'tensorrt'})
    assert [each.name for each in engine_candidates(['torch'], compiled=True)][:4] == [
        'torch cpu float32', 'torch cpu float32 compiled', 'torch cpu bfloat16',
        'torch cpu bfloat16 compiled']
    assert [each.name for each in engine_candidates(['native'])] == [
        'native cpu float32', 'native cpu float16']
    network, spec = checkpoint.load(tiny_model)
    labels = engine_candidate('torch cpu float32').load(network, spec, 64, 48, 1)(street)
    assert (labels == network_labels(network, spec, street)).mean() > 0.999


def test_slow_precisions_with_a_faster_alternative():
    seconds = {'torch cpu float32': 2.0, 'torch cpu bfloat16': 9.0, 'openvino cpu float32': 8.0,
               'openvino cpu bfloat16': 6.0, 'onnxruntime cpu float32': 9.0,
               'onnxruntime cuda float32': 0.1}
    assert slow_precisions(seconds, 5.0) == {
        'torch cpu bfloat16': 'torch cpu float32',
        'openvino cpu float32': 'openvino cpu bfloat16'}
    assert slow_precisions(seconds, 8.0) == {'torch cpu bfloat16': 'torch cpu float32'}


def test_settings_from_the_name_of_an_engine():
    assert engine_settings('torch cpu bfloat16 compiled') == {
        'engine': 'torch', 'device': 'cpu', 'precision': 'bfloat16', 'compile': True}


# A whole comparison

def test_what_does_not_fit_before_the_deadline_is_skipped_and_reported(tiny_model):
    plan = Plan(((64, 48), (96, 64)), rounds=1, turn_s=0.0, candidate_s=0.0, deadline_s=0.0)
    saved = []
    results = Comparison(tiny_model, plan, threads=1).run(
        lambda results: saved.append(json.loads(json.dumps(results))))
    assert [(size['width'], size['height']) for size in results['sizes']] == [(64, 48)]
    skipped = {each['name']: each['reason'] for each in results['skipped']}
    for name in ('96x64', 'segnet at 64x48', 'pipeline',
                 f'start-up of enet on {results["default_engine"]}'):
        assert skipped[name] == 'it does not fit into 0 s'
    for name in set(ENGINES) - {'auto', *installed_engines()}:
        assert name in skipped
    for row in results['sizes'][0]['rows']:
        assert row['architecture'] == 'enet' and row['frames'] >= 1
        if 'float32' in row['name']:
            assert row['agreement'] > 0.999
    text = markdown(results)
    assert all(f'- {name}: {reason}' in text for name, reason in skipped.items())
    # The results of the first size were saved before the rest.
    assert len(saved[0]['sizes']) == 1 and saved[0]['seconds'] is None
    assert 'This run is not complete' in markdown(saved[0])
    assert saved[-1] == json.loads(json.dumps(results)) and results['seconds'] > 0


def test_unavailable_engines_come_with_what_to_install(tiny_model):
    network, spec = checkpoint.load(tiny_model)
    unavailable = unavailable_engines(network, spec)
    assert unavailable.keys() == set(ENGINES) - {'auto', *installed_engines()}
    assert all('install' in reason for reason in unavailable.values())
    for name, reason in unavailable.items():
        with pytest.raises(BadInput) as error:
            Comparison(tiny_model, QUICK, [name])
        assert str(error.value) == reason


@pytest.mark.parametrize('settings, complaint', [
    ({'names': ['torch', 'auto']}, 'auto stands for one of the engines; name the engines'),
    ({'names': ['magic']}, "engine is 'magic'; choose one of"),
    ({'threads': -1}, 'threads is -1; it must be at least 0'),
])
def test_invalid_settings_are_rejected(settings, complaint):
    with pytest.raises(BadInput, match=complaint):
        Comparison('not read', QUICK, **settings)


@pytest.mark.skipif(not find_spec('openvino'), reason='openvino is not installed')
@pytest.mark.parametrize('batches', [['2', '3'], ['0', '1']])
def test_batch_sizes_must_divide_the_largest(batches):
    program = Path(__file__).parents[1] / 'benchmarks/batching.py'
    result = subprocess.run([sys.executable, str(program), '--batches', *batches],
                            capture_output=True, text=True, timeout=120, check=False,
                            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    assert result.returncode == 2 and 'choose divisors of the largest' in result.stderr


@pytest.mark.parametrize('text', ['640', '640x', 'x360', '640x360,', '8x8', '640x-360', 'big'])
def test_invalid_sizes_are_rejected(text):
    with pytest.raises(BadInput, match='is not a size; write sizes of at least 32x32 pixels'):
        make_plan(False, text)


def test_sizes_replace_those_of_the_plan():
    assert make_plan(False, '640x360, 64x48').sizes == ((640, 360), (64, 48))
    assert make_plan(False) == FULL and make_plan(True) == QUICK


def test_startup_is_measured_in_a_process_of_its_own(tiny_model, tmp_path):
    startup = measure_startup('torch cpu float32', 'enet', tiny_model, (64, 48), 1, tmp_path)
    assert startup['start_up_s'] > 0
    assert 50 < startup['resident_mib'] <= startup['peak_mib']


@pytest.mark.skipif(not LIBRARY.is_file(), reason='the native library is not built')
def test_startup_is_that_of_the_installed_package(tiny_model, tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1])  # the sources, which lack the library
    measure_startup('native cpu float32', 'enet', tiny_model, (64, 48), 1, tmp_path)


def test_a_failed_start_gives_the_reason(tmp_path):
    with pytest.raises(StartupFailed, match='none does not exist'):
        measure_startup('torch cpu float32', 'enet', tmp_path / 'none', (64, 48), 1, tmp_path)


# The report

def example_row(architecture, name, median, **more):
    return {'architecture': architecture, 'name': name, 'is_engine': not name.startswith('plain'),
            'median_ms': median, 'p95_ms': 1.5 * median, 'frames_per_second': 1e3 / median,
            'rounds': 7, 'frames': 40, 'speedup_over_plain': 120 / median,
            'speedup_over': {}, 'speedup_over_direct_openvino': None, 'agreement': 0.9951,
            'milliseconds': [median], **more}


def example_results():
    """Return results of a comparison with invented figures."""
    rows = [
        example_row('enet', 'plain PyTorch cpu', 120.0, speedup_over={'segnet': 17.0}),
        example_row('enet', 'openvino cpu bfloat16', 20.0, speedup_over_direct_openvino=0.991),
        example_row('enet', 'openvino cpu float32', 40.0, speedup_over_direct_openvino=0.95,
                    speedup_over={'segnet': 19.5}),
        example_row('enet', 'native cpu float32', 20.0),
        example_row('segnet', 'plain PyTorch cpu', 2040.0),
        example_row('segnet', 'openvino cpu float32', 780.0),
    ]
    cost = {'enet': {'parameters': 363791, 'gflops': 3.39, 'fp16_mib': 0.694},
            'segnet': {'parameters': 29449355, 'gflops': 283.4, 'fp16_mib': 56.17}}
    startup = {'architecture': 'enet', 'size': (640, 360), 'cold_start_s': None,
               'warm_start_s': None, 'resident_mib': None, 'peak_mib': None, 'error': None}
    return {
        'command': 'enet benchmark', 'model': 'enet_camvid', 'threads': 0,
        'default_engine': 'openvino cpu bfloat16',
        'machine': {'processor': 'Example 9000', 'cores': 2, 'amx_bf16': True, 'memory_gib': 24,
                    'gpu': None, 'load': 0.1, 'system': 'Linux 6', 'versions': {'torch': '2.13'}},
        'sizes': [{'width': 640, 'height': 360, 'rows': rows, 'cost': cost, 'seconds': 60.0}],
        'pipeline': {'camera_size': (1280, 720), 'network_size': (640, 360), 'overhead_ms': 12.5,
                     'engine': 'openvino cpu bfloat16', 'speedup_over_plain': 6.5,
                     'rows': [{'name': 'network only', 'median_ms': 20.0, 'p95_ms': 21.0}]},
        'startup': [{**startup, 'name': 'openvino cpu bfloat16', 'cold_start_s': 5.5,
                     'warm_start_s': 3.5, 'resident_mib': 420.0, 'peak_mib': 450.0},
                    {**startup, 'name': 'openvino cpu float32', 'peak_mib': 480.0},
                    {**startup, 'name': 'native cpu float32', 'peak_mib': 240.0},
                    {**startup, 'name': 'torch cpu float32', 'error': 'killed'}],
        'skipped': [{'name': 'tensorrt', 'reason': 'pip install onnxruntime-gpu'}],
        'seconds': 100.0,
    }


def test_targets_are_compared_with_the_figures():
    found = targets(example_results())
    assert [target.figure for target in found] == [6.0, 2.0, 0.95, 19.5, 12.5, 6.5, 3.5, 0.5]
    assert [target.reached for target in found] == [False, True, False, True, False, False, False,
                                                    True]


def test_targets_without_figures():
    results = example_results()
    results.update(sizes=[], startup=[], pipeline=None)
    assert all(target.figure is None and target.reached is None for target in targets(results))


def test_the_report_shows_what_was_measured_and_skipped():
    text = markdown(example_results())
    for part in ('Command: `enet benchmark`', 'Example 9000, 2 cores, with AMX', 'torch 2.13',
                 '### 640x360', '| **openvino cpu bfloat16** | 20.0 | 30.0 | 7 | 50.0 | 6.00 | '
                 '99.510 % | - |', '| 2040 |', '| x SegNet |', '| 19.5 |',
                 '363,791', '3.83', '286.03', 'unverified', 'killed',
                 '- tensorrt: pip install onnxruntime-gpu'):
        assert part in text, part
    assert 'busy' not in text and 'not complete' not in text
    for table in (part for part in text.split('\n\n') if part.startswith('|')):
        assert len({line.count('|') for line in table.splitlines()}) == 1, table


def test_a_network_that_the_default_engine_lacks_has_its_fastest_engine():
    results = example_results()
    assert engine_of(results, 'enet') == 'openvino cpu bfloat16'
    assert engine_of(results, 'segnet') == 'openvino cpu float32'
    assert '| Jetson TX1 | 69 | 1251 | 18.1 | 20.0 | 780.0 |' in markdown(results)
    results['sizes'] = []
    assert engine_of(results, 'segnet') == 'openvino cpu bfloat16'


def test_the_report_warns_of_a_busy_machine():
    results = example_results()
    results['machine']['load'] = 2.5
    assert 'busy' in markdown(results)


def test_the_report_of_empty_results():
    results = example_results()
    results.update(sizes=[], startup=[], pipeline=None, skipped=[])
    assert 'Skipped' not in markdown(results)


def test_the_files_of_a_report(tmp_path):
    pytest.importorskip('matplotlib')
    results = example_results()
    ReportFolder(tmp_path / 'report').write(results)
    assert (tmp_path / 'report/benchmark.md').read_text() == markdown(results)
    saved = json.loads((tmp_path / 'report/benchmark.json').read_text())
    assert saved['sizes'][0]['rows'] == results['sizes'][0]['rows']
    assert (tmp_path / 'report/benchmark.png').read_bytes().startswith(b'\x89PNG')


def test_a_report_without_matplotlib_fails_at_the_start(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    with pytest.raises(BadInput, match='pip install matplotlib'):
        ReportFolder(tmp_path)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_status_line_on_a_terminal():
    machine, terminal = Machine(), Terminal()
    status = StatusLine(terminal, machine.clock)
    status.stage('one')
    machine.now = 61.5
    status.step('first')
    status.step('second')
    status.stage('two')
    assert terminal.getvalue() == (' 0:00 one\n 1:01 first\r\033[K 1:01 second\r\033[K 1:01 two\n')


def test_the_status_line_in_a_file():
    machine, file = Machine(), io.StringIO()
    status = StatusLine(file, machine.clock)
    for second in range(0, 60, 4):
        machine.now = second
        status.step(f'step at {second}')
    status.stage('end')
    assert file.getvalue().splitlines() == [
        ' 0:12 step at 12', ' 0:24 step at 24', ' 0:36 step at 36', ' 0:48 step at 48',
        ' 0:56 end']


def test_a_report_that_cannot_be_written_fails_at_the_start(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(BadInput, match='choose another --out'):
        ReportFolder(tmp_path / 'file' / 'report')
