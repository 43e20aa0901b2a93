"""`enet calibrate`: the temperature of the confidence, its errors and its thresholds."""

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from onnx_networks import CLASSES as NAMED_CLASSES
from onnx_networks import SmallNetwork, describe, export, write_network
from sample_data import make_camvid, make_cityscapes, write

from enet_ros import cli
from enet_ros.data.datasets import open_dataset
from enet_ros.errors import BadInput
from enet_ros.evaluation.calibrate import THRESHOLDS, recommendation, threshold_table
from enet_ros.evaluation.confidence_counts import ConfidenceCounts
from enet_ros.evaluation.confidence_figure import confidence_figure
from enet_ros.evaluation.evaluate import Evaluation
from enet_ros.evaluation.logits import logits_of
from enet_ros.evaluation.temperature import _likelihood, fit_temperature
from enet_ros.images.postprocess import hide_uncertain
from enet_ros.labels import UNLABELED, LabelClass, LabelSet
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.loading import load_model
from enet_ros.models.onnx_spec import read_onnx_spec
from enet_ros.segmenter import Segmenter

CLASSES = 4


def random_pixels(seed=0, shape=(90, 80)):
    """Return ground truth with void pixels, predictions and confidences."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, CLASSES + 1, shape).astype(np.uint8)
    truth[truth == CLASSES] = UNLABELED
    return (truth, rng.integers(0, CLASSES, shape).astype(np.uint8),
            rng.integers(0, 256, shape).astype(np.uint8))


class TestConfidenceCounts:
    def test_the_calibration_error_is_that_of_its_definition(self):
        counts = ConfidenceCounts(CLASSES)
        frames = [random_pixels(seed) for seed in range(3)]
        for frame in frames:
            counts.add(*frame)
        truth, prediction, confidence = (np.concatenate(planes) for planes in zip(*frames))
        labeled = truth < CLASSES
        correct = (truth == prediction)[labeled]
        probability = confidence[labeled] / 255
        expected = 0.0
        for number in range(15):
            inside = (probability >= number / 15) & (probability < (number + 1) / 15)
            if number == 14:
                inside |= probability == 1
            expected += inside.mean() * abs(correct[inside].mean() - probability[inside].mean())
        assert counts.counts.sum() == labeled.sum()
        assert counts.expected_calibration_error() == pytest.approx(expected, abs=1e-9)

    def test_a_calibrated_confidence_has_no_error(self):
        counts = ConfidenceCounts(2)
        truth = np.zeros((1, 100), np.uint8)
        truth[:, 80:] = 1
        counts.add(truth, np.zeros_like(truth), np.full_like(truth, 204))  # 80 %, 80 % correct
        assert counts.expected_calibration_error() == pytest.approx(0)
        counts = ConfidenceCounts(2)
        counts.add(truth, np.zeros_like(truth), np.full_like(truth, 255))
        assert counts.expected_calibration_error() == pytest.approx(0.2)

    def test_without_pixels_it_is_not_a_number(self):
        assert math.isnan(ConfidenceCounts(2).expected_calibration_error())

    @pytest.mark.parametrize('threshold', [0.0, 0.3, 0.5, 127 / 255, 0.501, 0.99, 1.0])
    def test_thresholds_keep_the_pixels_that_the_node_keeps(self, threshold):
        truth, prediction, confidence = random_pixels()
        counts = ConfidenceCounts(CLASSES)
        counts.add(truth, prediction, confidence)
        kept = hide_uncertain(prediction, confidence, threshold)[truth < CLASSES] != UNLABELED
        wrong = (truth != prediction)[truth < CLASSES]
        assert counts.coverage(threshold) == pytest.approx(kept.mean())
        assert counts.error(threshold) == pytest.approx(wrong[kept].mean())

    def test_the_recommended_threshold_keeps_most_pixels(self):
        counts = ConfidenceCounts(1)
        counts.counts[:, 255] = 5, 900
        counts.counts[:, 128] = 20, 35   # these remain
        counts.counts[:, 64] = 40, 0
        text = recommendation(counts)
        assert text == ('output.confidence_threshold: 0.50 keeps the labels of 96.0 % of the '
                        'pixels; 2.60 % of them are wrong, and 6.50 % without a threshold')
        table = threshold_table(counts)
        assert len(table) == 1 + len(THRESHOLDS)
        assert table[1].split() == ['0.0', '100.00', '%', '6.50', '%']


class Linear(torch.nn.Module):
    """A network whose logits are those of a 1x1 convolution."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(3, CLASSES, 1)

    def forward(self, x):
        return 3 * self.conv(x)


@pytest.fixture(scope='module')
def spec():
    labels = LabelSet('numbers', tuple(LabelClass(f'class{n}', (n, n, n)) for n in range(CLASSES)))
    return ModelSpec(labels, width=64, height=48)


def frames_of(network, spec, temperature, count=9):
    """Return frames whose classes are drawn from softmax(logits / temperature), some void."""
    rng = np.random.default_rng(3)
    frames = []
    for _ in range(count):
        image = rng.integers(0, 256, (100, 100, 3), np.uint8)
        x = (image / np.float32(255) - np.float32(spec.mean)) / np.float32(spec.std)
        with torch.inference_mode():
            logits = network(torch.from_numpy(x).permute(2, 0, 1)[None])[0].numpy()
        noise = rng.gumbel(size=logits.shape)
        truth = (logits / temperature + noise).argmax(0).astype(np.uint8)
        truth[:20] = UNLABELED
        frames.append((image, truth))
    return frames


class TestFit:
    @pytest.mark.parametrize('temperature', [0.3, 1.0, 1.7, 6.0])
    @pytest.mark.parametrize('start', [1.0, 4.0])
    def test_the_temperature_of_the_labels_is_found(self, spec, temperature, start):
        network = Linear()
        frames = frames_of(network, spec, temperature)
        logits = logits_of(network, spec)
        found = fit_temperature(logits, frames, start)
        assert found == pytest.approx(temperature, rel=0.03)
        below, best, above = (
            _likelihood(logits, frames, range(len(frames)), factor / found).nll
            for factor in (0.998, 1.0, 1.002))
        assert best < min(below, above)

    def test_labels_without_errors_are_rejected(self, spec):
        network = Linear()
        frames = [(image, np.where(truth == UNLABELED, truth, 0)) for image, truth
                  in frames_of(network, spec, 0.01)]
        network.conv.bias.data[:] = torch.tensor([9.0, 0, 0, 0])
        with pytest.raises(BadInput, match='no temperature from 0.01 to 100 fits: .* all correct'):
            fit_temperature(logits_of(network, spec), frames)
        network.conv.bias.data[:] = torch.tensor([-9.0, 0, 0, 0])
        with pytest.raises(BadInput, match='or no better than chance'):
            fit_temperature(logits_of(network, spec), frames)

    def test_frames_without_labels_are_rejected(self, spec):
        image = np.zeros((48, 64, 3), np.uint8)
        with pytest.raises(BadInput, match='no pixel of the frames has a true class'):
            fit_temperature(logits_of(Linear(), spec),
                            [(image, np.full((48, 64), UNLABELED, np.uint8))])


SIZE = ['--width', '160', '--height', '120', '--engine', 'torch', '--device', 'cpu']


@pytest.fixture(scope='module')
def camvid(tmp_path_factory):
    return make_camvid(tmp_path_factory.mktemp('camvid'), train=0, val=3, size=(200, 150))


def calibrate(*arguments):
    return cli.main(['calibrate', *map(str, arguments)])


@pytest.fixture(scope='module')
def calibrated(camvid, tmp_path_factory):
    """Return the folder with a calibrated copy of the shipped model, and the report."""
    folder = tmp_path_factory.mktemp('calibrated')
    assert calibrate('enet_camvid', '--root', camvid, '--out', folder / 'model.safetensors',
                     '--report', folder / 'report', *SIZE) == 0
    return folder


class TestCommand:
    def test_only_the_confidence_changes(self, camvid, calibrated):
        spec = checkpoint.read_spec(calibrated / 'model.safetensors')
        before = checkpoint.read_spec('enet_camvid')
        assert spec.temperature != before.temperature
        record = spec.metrics['calibration']
        assert record['data'] == 'camvid val'
        assert (record['expected_calibration_error_after']
                < record['expected_calibration_error_before'])
        assert spec == replace(before, temperature=spec.temperature,
                               metrics={**before.metrics, 'calibration': record})
        image, _ = open_dataset('camvid', camvid).splits['val'][0]
        first, second = (Segmenter.load(name, width=160, height=120, engine='torch')(image)
                         for name in ('enet_camvid', calibrated / 'model.safetensors'))
        assert np.array_equal(first.labels, second.labels)
        assert not np.array_equal(first.confidence, second.confidence)

    def test_the_report_has_the_errors_that_evaluate_prints(self, camvid, calibrated, capsys):
        report = json.loads((calibrated / 'report/calibration.json').read_text())
        assert (report['data'], report['split'], report['engine']) == (
            'camvid', 'val', 'torch cpu float32')
        assert report['thresholds'] == list(THRESHOLDS)
        assert report['coverage'][0] == 1.0
        for model, name in (('enet_camvid', 'before'),
                            (calibrated / 'model.safetensors', 'after')):
            assert cli.main(['evaluate', '--root', str(camvid), '--model', str(model), *SIZE]) == 0
            error = report[f'expected_calibration_error_{name}']
            assert f'error of the confidence: {error:.4f}\n' in capsys.readouterr().out
            counts = ConfidenceCounts(11)
            counts.counts[:] = report['confidence'][name]
            assert counts.expected_calibration_error() == pytest.approx(error)
        assert cv2.imread(str(calibrated / 'report/confidence.png')).std() > 10

    def test_calibrating_again_gives_the_same_temperature(self, camvid, calibrated, tmp_path,
                                                          capsys):
        again = tmp_path / 'again.safetensors'
        first = checkpoint.read_spec(calibrated / 'model.safetensors').temperature
        assert calibrate(calibrated / 'model.safetensors', '--root', camvid, '--out', again,
                         *SIZE) == 0
        assert checkpoint.read_spec(again).temperature == pytest.approx(first, rel=1e-3)
        printed = capsys.readouterr().out
        temperature = re.search(r'^temperature (\S+)$', printed, re.MULTILINE)
        assert temperature and float(temperature[1]) == pytest.approx(first, rel=2e-3)
        assert 'output.confidence_threshold: ' in printed

    @pytest.mark.parametrize('change, complaint', [
        (['--data', 'cityscapes'], 'camvid, the data set those of cityscapes'),
        (['--split', 'test'], "camvid has no split 'test'"),
        (['--report', '/dev/null/out'], 'cannot write to /dev/null/out: Not a directory; choose '
         'another --report'),
        (['--out', '/nowhere/model'], '/nowhere/model has no folder; create it, or name another'),
        (['--out', '/dev/null'], '/dev/null exists already; remove it, or name another file'),
    ])
    def test_bad_options_are_rejected(self, camvid, tmp_path, capsys, change, complaint):
        root = make_cityscapes(tmp_path / 'c') if 'cityscapes' in change else camvid
        assert calibrate('enet_camvid', '--out', tmp_path / 'm', '--root', root, *SIZE,
                         *change) == 1
        assert complaint in capsys.readouterr().err.split('\n')[-2]
        assert not (tmp_path / 'm').exists()

    def test_a_report_needs_matplotlib(self, camvid, tmp_path, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, 'matplotlib', None)
        assert calibrate('enet_camvid', '--out', tmp_path / 'm', '--root', camvid, '--report',
                         tmp_path / 'report', *SIZE) == 1
        assert 'pip install matplotlib' in capsys.readouterr().err


@pytest.fixture
def warehouse(tmp_path):
    """Return a data set whose labels are drawn from softmax(logits / 2) of an ONNX network."""
    rng = np.random.default_rng(1)
    network = SmallNetwork()
    takes = read_onnx_spec(describe(tmp_path / 'net.onnx')).input
    for number in range(3):
        image = rng.integers(0, 256, (48, 64, 3), np.uint8)
        with torch.inference_mode():
            logits = network(torch.from_numpy(takes.array(image)))[0].numpy()
        labels = (logits / 2 + rng.gumbel(size=logits.shape)).argmax(0).astype(np.uint8)
        write(tmp_path / 'images' / f'{number}.png', image[..., ::-1])
        write(tmp_path / 'labels' / f'{number}.png', labels)
    file = tmp_path / 'warehouse.yaml'
    file.write_text(yaml.safe_dump({
        'name': 'warehouse', 'size': [64, 48], 'classes': NAMED_CLASSES,
        'val': {'images': 'images', 'labels': 'labels'}}))
    return file


@pytest.mark.skipif(not find_spec('onnx') or not find_spec('onnxruntime'),
                    reason='needs onnx and onnxruntime')
class TestOnnxNetworks:
    @pytest.mark.parametrize('settings', [{}, {'stride': 4}, {'layout': 'NHWC'}], ids=str)
    def test_the_logits_are_those_of_the_engine(self, tmp_path, settings):
        layout = settings.get('layout', 'NCHW')
        file = export(SmallNetwork(**settings), tmp_path / 'net.onnx', layout=layout)
        describe(file, layout=layout, temperature=2.5)
        image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
        logits = logits_of(*load_model(file))(image)
        assert logits.shape == (len(NAMED_CLASSES), 48, 64)
        probability, labels = (logits / 2.5).softmax(0).max(0)
        segmentation = Segmenter.load(file, engine='onnxruntime', device='cpu')(image)
        assert (segmentation.labels == labels.numpy()).mean() > 0.999
        assert np.abs(segmentation.confidence - 255 * probability.numpy()).max() < 1

    def test_the_yaml_file_gets_the_temperature(self, warehouse, tmp_path, capsys):
        network = write_network(tmp_path)
        out = tmp_path / 'calibrated.yaml'
        assert calibrate(network, '--data', warehouse, '--out', out, '--engine', 'onnxruntime',
                         '--device', 'cpu') == 0
        spec = read_onnx_spec(out)
        assert spec.temperature == pytest.approx(2, rel=0.05)
        assert replace(spec, temperature=1.0) == read_onnx_spec(network.with_suffix('.yaml'))
        printed = capsys.readouterr().out
        assert f'{out}: description of {network} with this temperature; replace ' in printed

    @pytest.mark.parametrize('output', ['probabilities', 'labels'])
    def test_a_network_without_logits_is_rejected(self, warehouse, tmp_path, capsys, output):
        network = export(SmallNetwork(output, labels=torch.int64), tmp_path / 'net.onnx')
        describe(network, output=output)
        assert calibrate(network, '--data', warehouse, '--out', tmp_path / 'out.yaml',
                         '--engine', 'onnxruntime', '--device', 'cpu') == 1
        assert f'predicts {output}, and a temperature needs logits' in capsys.readouterr().err


def test_the_figure_shows_the_accuracy_of_each_bin():
    counts = ConfidenceCounts(2)
    counts.counts[:, 130] = 25, 75
    counts.counts[:, 250] = 0, 100
    reliability, histogram, risk = confidence_figure('title', {'a': counts, 'b': counts}).axes
    line, *_ = reliability.lines
    assert line.get_xydata() == pytest.approx(np.array([[130 / 255, 0.75], [250 / 255, 1.0]]))
    assert sum(bar.get_height() for bar in histogram.patches) == pytest.approx(2)
    x, y = risk.lines[0].get_data()
    assert (x[0], y[0]) == pytest.approx((100, 12.5))
    assert (x[200], y[200]) == pytest.approx((50, 0))


def test_the_benchmark_measures_on_other_data(camvid, tmp_path):
    model = tmp_path / 'small.safetensors'
    network, spec = checkpoint.load('enet_camvid')
    spec = replace(spec, width=160, height=120, temperature=3.0)
    checkpoint.save(model, network, spec)
    program = Path(__file__).parents[1] / 'benchmarks/calibration.py'
    result = subprocess.run(
        [sys.executable, program, model, '--root', camvid, '--fit', 'camvid', '--measure',
         'camvid'], capture_output=True, text=True, timeout=300,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))})
    assert result.returncode == 0, result.stderr
    (_, one, before), (name, temperature, after) = (
        line.strip('| ').split(' | ') for line in result.stdout.splitlines()[-2:])
    assert (one, name) == ('1.000', 'camvid')
    frames = open_dataset('camvid', camvid).splits['val']
    for value, error in ((1.0, before), (float(temperature), after)):
        evaluation = Evaluation(Segmenter(network, replace(spec, temperature=value),
                                          engine='torch'))
        for index in range(len(frames)):
            evaluation.add(*frames[index])
        assert evaluation.confidence.expected_calibration_error() == pytest.approx(
            float(error), abs=1e-3)
    assert float(after) < float(before)
