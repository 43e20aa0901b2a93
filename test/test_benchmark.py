"""What `enet benchmark` measures, counts and reports."""

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

from enet_ros.benchmark import peers
from enet_ros.benchmark.alone import run_alone
from enet_ros.benchmark.candidates import (
    absent_engines,
    engine_named,
    engine_settings,
    engines,
    slower_precisions,
)
from enet_ros.benchmark.comparison import FULL, QUICK, Comparison, Plan, plan_of
from enet_ros.benchmark.measure import Measured, measure, warm_up
from enet_ros.benchmark.networks import random_network, street_frames
from enet_ros.benchmark.progress import Progress
from enet_ros.benchmark.report import ReportFolder, markdown
from enet_ros.benchmark.targets import targets
from enet_ros.config import ENGINES
from enet_ros.engines.engine import installed_engines
from enet_ros.errors import BadInput
from enet_ros.models import checkpoint
from enet_ros.models.cost import cost_of
from enet_ros.models.enet import ENet
from enet_ros.models.segnet import SegNet


class Machine:
    """A clock that goes on only while its candidates work, and what they did."""

    def __init__(self):
        self.now = 0.0
        self.slowness = 1.0
        self.calls = []

    def clock(self):
        return self.now

    def candidate(self, name, seconds, answer=0):
        def run(image):
            self.now += seconds * self.slowness
            self.calls.append((name, int(image[0, 0, 0])))
            return np.full(image.shape[:2], answer, np.uint8)
        return run


FRAMES = [np.full((2, 3, 3), number, np.uint8) for number in range(3)]


# Measuring

def test_candidates_take_turns():
    machine = Machine()
    measured = measure({'a': machine.candidate('a', 0.25), 'b': machine.candidate('b', 2.0)},
                       FRAMES, rounds=2, turn_s=1.0, candidate_s=1e9, clock=machine.clock)
    assert ''.join(name for name, _ in machine.calls) == 2 * 'aaaab'
    # a's first frame of a turn does not count; b's is the only one of its turn, and does.
    assert measured['a'].turns == [3 * [250.0]] * 2
    assert measured['b'].turns == [[2000.0]] * 2


def test_every_frame_is_answered_and_answers_are_kept():
    shared = np.zeros((2, 3), np.uint8)

    def run(image):
        shared[:] = image[..., 0] + 5  # an engine that uses its array again
        machine.now += 2.0
        return shared

    machine = Machine()
    measured = measure({'a': run}, FRAMES, 4, 1.0, 1e9, machine.clock)
    assert [labels[0, 0] for labels in measured['a'].labels] == [5, 6, 7]


def test_slow_candidates_have_fewer_rounds_but_three():
    machine, told = Machine(), []
    candidates = {name: machine.candidate(name, seconds)
                  for name, seconds in (('a', 0.5), ('b', 2.0), ('c', 100.0))}
    measured = measure(candidates, FRAMES, 6, 1.0, candidate_s=8.0, clock=machine.clock,
                       tell=lambda number, name: told.append(f'{number}{name}'))
    assert [len(each.turns) for each in measured.values()] == [6, 4, 3]
    assert ' '.join(told) == '0a 0b 0c 1a 1b 1c 2a 2b 2c 3a 3b 4a 5a'
    few = measure(candidates, FRAMES, 2, 1.0, candidate_s=8.0, clock=machine.clock)
    assert [len(each.turns) for each in few.values()] == [2, 2, 2]


def test_warming_up_lasts_a_while_or_some_frames():
    machine = Machine()
    quick, slow = machine.candidate('quick', 0.25), machine.candidate('slow', 9.0)
    assert warm_up(quick, FRAMES[0], 1.0, clock=machine.clock) == 0.25
    assert warm_up(slow, FRAMES[0], 1.0, clock=machine.clock) == 9.0
    assert warm_up(slow, FRAMES[0], 1.0, 1, machine.clock) == 9.0
    assert [name for name, _ in machine.calls] == [*4 * ['quick'], *3 * ['slow']]


def test_ratios_hold_on_a_machine_that_slows_down():
    machine = Machine()

    def drifting(image):
        machine.slowness *= 3
        return quick(image)

    quick, slow = machine.candidate('quick', 1.0), machine.candidate('slow', 4.0)
    measured = measure({'quick': drifting, 'slow': slow}, FRAMES, 3, 0.5, 1e9, machine.clock)
    assert measured['quick'].p95 > 5 * measured['quick'].turns[0][0]
    assert measured['quick'].times_faster_than(measured['slow']) == pytest.approx(4)
    assert measured['slow'].times_faster_than(measured['quick']) == pytest.approx(1 / 4)


def test_figures_of_what_was_measured():
    one = Measured([[1.0, 2.0], [3.0, 100.0]],
                   [np.array([[1, 2, 3, 4]]), np.array([[1, 1, 1, 1]])])
    other = Measured([[2.0]], [np.array([[1, 2, 3, 5]])])
    assert one.median == 2.5
    assert one.p95 == pytest.approx(np.percentile([1, 2, 3, 100], 95))
    assert Measured([[5.0], [9.0]], []).milliseconds_above(other) == 3.0
    assert one.agreement(other) == 0.75  # over the one frame that both answered


# Cost

def test_cost_of_enet():
    with torch.device('meta'):
        cost = cost_of(ENet(12), 640, 360)
    assert cost.parameters == 363_856
    assert cost.gflops == pytest.approx(3.396, abs=0.001)
    assert cost.fp16_mib == pytest.approx(0.694, abs=0.001)


def test_cost_of_segnet_is_the_papers_once_biases_and_relus_count():
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


def test_counting_leaves_the_network_as_it_was():
    network = ENet(5)
    cost_of(network, 64, 48)
    assert {parameter.device.type for parameter in network.parameters()} == {'cpu'}


# Peers and engines

@pytest.fixture(scope='module')
def street():
    return street_frames(64, 48, 1)[0]


def network_labels(network, spec, image):
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (spec.mean, spec.std))
    x = torch.from_numpy(image.transpose(2, 0, 1).copy())[None] / 255
    with torch.inference_mode():
        return network((x - mean) / std)[0].argmax(0).numpy()


@pytest.mark.parametrize('peer, package, share', [
    (peers.plain, 'torch', 0.999),
    (peers.onnxruntime, 'onnxruntime', 0.999),
    (peers.openvino, 'openvino', 0.9),  # in bfloat16 where the processor has it
    (peers.opencv, 'cv2', 0.999),
    (peers.openvino_directly, 'openvino', 0.999),
])
def test_peers_give_the_networks_labels(tiny_model, street, peer, package, share):
    pytest.importorskip(package)
    network, spec = checkpoint.load(tiny_model)
    labels = peer(network, spec, 64, 48, threads=1)(street)
    assert labels.dtype == np.uint8 and labels.shape == (48, 64)
    assert len(np.unique(labels)) > 1
    assert (labels == network_labels(network, spec, street)).mean() >= share


def test_pytorchs_own_pooling_gives_the_same_answer(tiny_model, street):
    _, spec = checkpoint.load(tiny_model)
    network, spec = random_network('segnet', spec)
    labels = peers.plain(network, spec, 64, 48)(street)
    assert (labels == network_labels(network, spec, street)).mean() > 0.999


def test_every_installed_engine_is_a_candidate(tiny_model, street):
    found = engines()
    assert {each.name.split()[0] for each in found} == set(installed_engines()) - (
        set() if torch.cuda.is_available() else {'tensorrt'})
    assert [each.name for each in engines(['torch'], compiled=True)][:4] == [
        'torch cpu float32', 'torch cpu float32 compiled', 'torch cpu bfloat16',
        'torch cpu bfloat16 compiled']
    network, spec = checkpoint.load(tiny_model)
    labels = engine_named('torch cpu float32').make(network, spec, 64, 48, 1)(street)
    assert (labels == network_labels(network, spec, street)).mean() > 0.999


def test_precisions_that_are_slow_and_have_a_faster_one():
    seconds = {'torch cpu float32': 2.0, 'torch cpu bfloat16': 9.0, 'openvino cpu float32': 8.0,
               'openvino cpu bfloat16': 6.0, 'onnxruntime cpu float32': 9.0,
               'onnxruntime cuda float32': 0.1}
    assert slower_precisions(seconds, 5.0) == {
        'torch cpu bfloat16': 'torch cpu float32',
        'openvino cpu float32': 'openvino cpu bfloat16'}
    assert slower_precisions(seconds, 8.0) == {'torch cpu bfloat16': 'torch cpu float32'}


def test_settings_of_an_engines_name():
    assert engine_settings('torch cpu bfloat16 compiled') == {
        'engine': 'torch', 'device': 'cpu', 'precision': 'bfloat16', 'compile': True}


# A whole comparison

def test_what_does_not_fit_is_left_out_and_said(tiny_model):
    plan = Plan(((64, 48), (96, 64)), rounds=1, turn_s=0.0, candidate_s=0.0, deadline_s=0.0)
    kept = []
    results = Comparison(tiny_model, plan, threads=1).run(
        lambda results: kept.append(json.loads(json.dumps(results))))
    assert [(size['width'], size['height']) for size in results['sizes']] == [(64, 48)]
    left_out = {left['what']: left['reason'] for left in results['left_out']}
    for what in ('96x64', 'segnet at 64x48', "the camera's frame",
                 f'enet alone with {results["default_engine"]}'):
        assert left_out[what] == 'it does not fit into 0 s'
    for name in set(ENGINES) - {'auto', *installed_engines()}:
        assert name in left_out
    for row in results['sizes'][0]['rows']:
        assert row['architecture'] == 'enet' and row['frames'] >= 1
        if 'float32' in row['name']:
            assert row['agreement'] > 0.999
    text = markdown(results)
    assert all(f'- {what}: {reason}' in text for what, reason in left_out.items())
    # What was there after the first size was given away before the rest.
    assert len(kept[0]['sizes']) == 1 and kept[0]['seconds'] is None
    assert 'did not come to its end' in markdown(kept[0])
    assert kept[-1] == json.loads(json.dumps(results)) and results['seconds'] > 0


def test_absent_engines_are_named_with_what_to_install(tiny_model):
    network, spec = checkpoint.load(tiny_model)
    absent = absent_engines(network, spec)
    assert absent.keys() == set(ENGINES) - {'auto', *installed_engines()}
    assert all('install' in reason for reason in absent.values())
    for name, reason in absent.items():
        with pytest.raises(BadInput) as error:
            Comparison(tiny_model, QUICK, [name])
        assert str(error.value) == reason


@pytest.mark.parametrize('settings, complaint', [
    ({'names': ['torch', 'auto']}, 'auto stands for one of the engines; name those to compare'),
    ({'names': ['magic']}, "engine is 'magic'; choose one of"),
    ({'threads': -1}, 'threads is -1; it must be at least 0'),
])
def test_settings_that_cannot_be_compared(settings, complaint):
    with pytest.raises(BadInput, match=complaint):
        Comparison('not read', QUICK, **settings)


@pytest.mark.skipif(not find_spec('openvino'), reason='openvino is not installed')
@pytest.mark.parametrize('batches', [['2', '3'], ['0', '1']])
def test_batches_divide_the_largest(batches):
    program = Path(__file__).parents[1] / 'benchmarks/batching.py'
    result = subprocess.run([sys.executable, str(program), '--batches', *batches],
                            capture_output=True, text=True, timeout=120, check=False,
                            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    assert result.returncode == 2 and 'choose divisors of the largest' in result.stderr


@pytest.mark.parametrize('text', ['640', '640x', 'x360', '640x360,', '8x8', '640x-360', 'big'])
def test_sizes_that_are_none(text):
    with pytest.raises(BadInput, match='is no size; sizes are such as 640x360'):
        plan_of(False, text)


def test_sizes_that_are_given():
    assert plan_of(False, '640x360, 64x48').sizes == ((640, 360), (64, 48))
    assert plan_of(False) == FULL and plan_of(True) == QUICK


def test_an_engine_alone(tiny_model, tmp_path):
    figures = run_alone('torch cpu float32', 'enet', tiny_model, (64, 48), 1, tmp_path)
    assert figures['start_up_s'] > 0
    assert 50 < figures['resident_mib'] <= figures['peak_mib']


def test_an_engine_that_fails_alone(tmp_path):
    figures = run_alone('torch cpu float32', 'enet', tmp_path / 'none', (64, 48), 1, tmp_path)
    assert 'none does not exist' in figures['error']


# The report

def made_row(architecture, name, median, **more):
    return {'architecture': architecture, 'name': name, 'engine': not name.startswith('plain'),
            'median_ms': median, 'p95_ms': 1.5 * median, 'frames_a_second': 1e3 / median,
            'rounds': 7, 'frames': 40, 'times_plain': 120 / median, 'agreement': 0.9951,
            'milliseconds': [median], **more}


def made_results():
    """Return results such as a comparison has, of made-up figures."""
    rows = [
        made_row('enet', 'plain PyTorch cpu', 120.0, times_segnet=17.0),
        made_row('enet', 'openvino cpu bfloat16', 20.0, speed_of_by_hand=0.991),
        made_row('enet', 'openvino cpu float32', 40.0, speed_of_by_hand=0.95, times_segnet=19.5),
        made_row('segnet', 'plain PyTorch cpu', 2040.0),
        made_row('segnet', 'openvino cpu float32', 780.0),
    ]
    cost = {'enet': {'parameters': 363791, 'gflops': 3.39, 'fp16_mib': 0.694},
            'segnet': {'parameters': 29449355, 'gflops': 283.4, 'fp16_mib': 56.17}}
    return {
        'command': 'enet benchmark', 'model': 'enet_camvid', 'threads': 0,
        'default_engine': 'openvino cpu bfloat16',
        'machine': {'processor': 'Made-up 9000', 'cores': 2, 'amx_bf16': True, 'memory_gib': 24,
                    'gpu': None, 'load': 0.1, 'system': 'Linux 6', 'versions': {'torch': '2.13'}},
        'sizes': [{'width': 640, 'height': 360, 'rows': rows, 'cost': cost, 'seconds': 60.0}],
        'camera': {'camera': (1280, 720), 'network': (640, 360), 'beside_network_ms': 12.5,
                   'engine': 'openvino cpu bfloat16', 'times_plain': 6.5,
                   'rows': [{'name': 'network alone', 'median_ms': 20.0, 'p95_ms': 21.0}]},
        'alone': [{'architecture': 'enet', 'name': 'openvino cpu bfloat16', 'size': (640, 360),
                   'cold_start_s': 5.5, 'warm_start_s': 3.5, 'resident_mib': 420.0,
                   'peak_mib': 450.0},
                  {'architecture': 'enet', 'name': 'torch cpu float32', 'size': (640, 360),
                   'error': 'killed'}],
        'left_out': [{'what': 'tensorrt', 'reason': 'pip install onnxruntime-gpu'}],
        'seconds': 100.0,
    }


def test_targets():
    reached = {target.text: target.reached for target in targets(made_results())}
    assert list(reached.values()) == [True, False, True, False, True, True, True]


def test_targets_without_figures_or_amx():
    results = made_results()
    results['machine']['amx_bf16'] = False
    assert targets(results)[0].figure == 6.0 and targets(results)[0].reached is None
    assert targets(results)[0].note == 'not measurable: no AMX'
    results.update(sizes=[], alone=[], camera=None)
    assert all(target.figure is None and target.reached is None for target in targets(results))


def test_the_report_says_what_was_measured_and_what_not():
    text = markdown(made_results())
    for part in ('Command: `enet benchmark`', 'Made-up 9000, 2 cores, with AMX', 'torch 2.13',
                 '### 640x360', '| **openvino cpu bfloat16** | 20.0 | 30.0 | 7 | 50.0 | 6.00 | '
                 '99.510 % | - | - | - | - | - | - |', '| 2040 |', '19.5',
                 '363,791', '3.83', '286.03', 'unverified', 'killed',
                 '- tensorrt: pip install onnxruntime-gpu'):
        assert part in text, part
    assert 'busy' not in text and 'come to its end' not in text
    for table in (part for part in text.split('\n\n') if part.startswith('|')):
        assert len({line.count('|') for line in table.splitlines()}) == 1, table


def test_the_report_warns_of_a_busy_machine():
    results = made_results()
    results['machine']['load'] = 2.5
    assert 'busy' in markdown(results)


def test_the_report_of_almost_nothing():
    results = made_results()
    results.update(sizes=[], alone=[], camera=None, left_out=[])
    assert 'Left out' not in markdown(results)


def test_the_reports_files(tmp_path):
    pytest.importorskip('matplotlib')
    results = made_results()
    ReportFolder(tmp_path / 'report').write(results)
    assert (tmp_path / 'report/benchmark.md').read_text() == markdown(results)
    kept = json.loads((tmp_path / 'report/benchmark.json').read_text())
    assert kept['sizes'][0]['rows'] == results['sizes'][0]['rows']
    assert (tmp_path / 'report/benchmark.png').read_bytes().startswith(b'\x89PNG')


def test_a_report_without_matplotlib_fails_at_the_start(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    with pytest.raises(BadInput, match='pip install matplotlib'):
        ReportFolder(tmp_path)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_on_a_terminal():
    machine, terminal = Machine(), Terminal()
    progress = Progress(terminal, machine.clock)
    progress.stage('one')
    machine.now = 61.5
    progress.step('first')
    progress.step('second')
    progress.stage('two')
    assert terminal.getvalue() == (' 0:00 one\n 1:01 first\r\033[K 1:01 second\r\033[K 1:01 two\n')


def test_progress_in_a_file():
    machine, file = Machine(), io.StringIO()
    progress = Progress(file, machine.clock)
    for second in range(0, 60, 4):
        machine.now = second
        progress.step(f'step at {second}')
    progress.stage('end')
    assert file.getvalue().splitlines() == [
        ' 0:12 step at 12', ' 0:24 step at 24', ' 0:36 step at 36', ' 0:48 step at 48',
        ' 0:56 end']


def test_a_report_that_cannot_be_written_fails_at_the_start(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(BadInput, match='choose another --out'):
        ReportFolder(tmp_path / 'file' / 'report')
