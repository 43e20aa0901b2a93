"""`enet evaluate`: scores of the deployed network as tables, JSON and pictures."""

import json
import sys

import cv2
import numpy as np
import pytest
import torch
from sample_data import FOLDER_YAML, make_camvid, make_cityscapes, make_folder

from enet_ros import cli
from enet_ros.data.datasets import open_dataset
from enet_ros.data.frames import Dataset
from enet_ros.data.streets import SyntheticFrames
from enet_ros.errors import BadInput
from enet_ros.evaluation.confidence_counts import ConfidenceCounts
from enet_ros.evaluation.confusion_figure import confusion_figure
from enet_ros.evaluation.evaluate import Evaluation, evaluate, evaluate_split, require_same_classes
from enet_ros.evaluation.metrics import ConfusionMatrix
from enet_ros.labels import CAMVID, CITYSCAPES, LabelClass, LabelSet
from enet_ros.models import checkpoint
from enet_ros.segmenter import Segmenter


def make_model(path, labels):
    torch.manual_seed(2)
    spec = checkpoint.ModelSpec(labels, width=64, height=48)
    checkpoint.save(path, spec.build(), spec)
    return path


@pytest.fixture(scope='module')
def camvid(tmp_path_factory):
    return make_camvid(tmp_path_factory.mktemp('camvid'), train=1, val=5)


def run(*arguments):
    return cli.main(['evaluate', *map(str, arguments)])


def test_the_report_has_the_scores_of_the_deployed_network(camvid, tiny_model, tmp_path, capsys):
    out = tmp_path / 'new/out'
    options = ['--root', camvid, '--model', tiny_model, '--engine', 'torch', '--device', 'cpu',
               '--out', out, '--worst', 2, '--width', 80, '--height', 56]
    assert run('--data', 'camvid', *options) == 0
    printed = capsys.readouterr().out
    frames = open_dataset('camvid', camvid).splits['val']
    segmenter = Segmenter.load(tiny_model, engine='torch', device='cpu', width=80, height=56)
    matrix = evaluate(segmenter, frames)
    means = (f'mIoU {matrix.mean_iou():.4f}, class average accuracy '
             f'{matrix.class_average_accuracy():.4f}, global accuracy {matrix.accuracy():.4f}')
    assert f'camvid val, 5 frames: {means}\n' in printed
    assert 'on torch cpu float32 (requested), network size 80x56\n' in printed
    for name, iou in zip(CAMVID.names, matrix.iou()):
        expected = '-' if np.isnan(iou) else f'{iou:.4f}'
        assert any(line.split()[:2] == [name, expected] for line in printed.split('\n'))

    report = json.loads((out / 'report.json').read_text())
    assert report['command'].startswith('enet evaluate --data camvid --root ')
    assert (report['model'], report['engine'], report['device']) == (
        str(tiny_model), 'torch cpu float32', 'cpu')
    assert (report['data'], report['split'], report['frames']) == ('camvid', 'val', 5)
    assert report['network_size'] == [80, 56]
    assert report['scores']['mean_iou'] == pytest.approx(matrix.mean_iou(), abs=1e-6)
    assert report['confusion'] == matrix.counts.tolist()
    assert report['scores']['iou'] == {
        name: None if np.isnan(iou) else pytest.approx(iou, abs=1e-6)
        for name, iou in zip(CAMVID.names, matrix.iou())}

    by_frame = report['frame_iou']
    assert list(by_frame) == frames.names
    assert list(report['worst'].values()) == sorted(by_frame, key=by_frame.get)[:2]
    assert sorted(file.name for file in out.iterdir()) == [
        'confidence.png', 'confusion.png', 'report.json', 'worst_01.png', 'worst_02.png']
    assert cv2.imread(str(out / 'worst_01.png')).shape[1] == 1488
    for figure in ('confusion.png', 'confidence.png'):
        assert cv2.imread(str(out / figure)).std() > 10

    counts = ConfidenceCounts(len(CAMVID))
    counts.counts[:] = report['confidence']
    assert counts.counts.sum() == matrix.counts.sum()
    assert counts.counts[1].sum() == np.trace(matrix.counts)
    error = counts.expected_calibration_error()
    assert report['expected_calibration_error'] == pytest.approx(error)
    assert f'expected calibration error of the confidence: {error:.4f}\n' in printed


def test_evaluate_and_segment_give_the_same_scores(camvid, tiny_model, tmp_path, capsys):
    assert run('--root', camvid, '--model', tiny_model) == 0
    evaluated = capsys.readouterr().out
    assert cli.main(['segment', str(camvid / 'val'), '--out', str(tmp_path),
                     '--model', str(tiny_model)]) == 0
    segmented = capsys.readouterr().out
    scores = evaluated[evaluated.index('mIoU'):].split('\n')[0]
    assert f'on 5 frames with labels: {scores}\n' in segmented


def test_cityscapes_has_instance_and_category_scores(tmp_path, capsys):
    root = make_cityscapes(tmp_path / 'cityscapes')
    model = make_model(tmp_path / 'model.safetensors', CITYSCAPES)
    assert run('--data', 'cityscapes', '--root', root, '--model', model,
               '--out', tmp_path / 'out') == 0
    printed = capsys.readouterr().out
    for name in ('class iIoU', 'category IoU', 'category iIoU'):
        assert f', {name} ' in printed
    assert any(line.split()[:1] == ['vehicle'] for line in printed.split('\n'))
    scores = json.loads((tmp_path / 'out/report.json').read_text())['scores']
    assert scores['iiou']['car'] is not None
    assert scores['category_iou']['human'] in (None, 0.0)  # only predicted, if at all


def test_synthetic_streets_are_evaluated(tiny_model):
    segmenter, frames = Segmenter.load(tiny_model, engine='torch'), SyntheticFrames(64, 48, 5, 3)
    evaluation = evaluate_split(segmenter, Dataset('streets', CAMVID, (64, 48), {'val': frames}),
                                'val')
    assert evaluation.matrix.counts.sum() > 0
    assert (evaluation.matrix.counts == evaluate(segmenter, frames).counts).all()


def test_own_data_is_evaluated(tmp_path, capsys):
    data = make_folder(tmp_path, FOLDER_YAML)
    model = make_model(tmp_path / 'model.safetensors', open_dataset(data).labels)
    assert run('--data', data, '--model', model) == 0
    assert 'warehouse val, 2 frames: mIoU' in capsys.readouterr().out


@pytest.mark.parametrize('change, complaint', [
    (['--data', 'cityscapes'], 'the classes of camvid, the data set those of cityscapes'),
    (['--split', 'test'], "camvid has no split 'test'"),
    (['--split', 'empty'], "camvid has no split 'empty'"),
    (['--root', '/nowhere'], '/nowhere does not hold camvid'),
    (['--worst', '-1'], 'worst is -1; it must be at least 0'),
    (['--width', '5'], 'width is 5'),
    (['--out', '/dev/null/out'], 'cannot write to /dev/null/out'),
])
def test_bad_options_are_rejected(camvid, tiny_model, tmp_path, capsys, change, complaint):
    root = make_cityscapes(tmp_path) if 'cityscapes' in change else camvid
    assert run('--root', root, '--model', tiny_model, *change) == 1
    errors = capsys.readouterr().err
    assert complaint in errors.split('\n')[-2]


def test_a_missing_file_is_reported_before_the_evaluation(tiny_model, tmp_path, capsys):
    root = make_camvid(tmp_path, train=0, val=2)
    (root / 'valannot/frame1.png').unlink()
    assert run('--root', root, '--model', tiny_model) == 1
    captured = capsys.readouterr()
    assert 'valannot/frame1.png is missing' in captured.err and 'mIoU' not in captured.out


def test_label_sets_of_the_same_length_that_differ_are_rejected():
    first, second = (LabelSet(name, (LabelClass('road', (1, 2, 3)), LabelClass(other, (3, 2, 1))))
                     for name, other in (('mine', 'car'), ('yours', 'tree')))
    require_same_classes(first, first)
    with pytest.raises(BadInput, match=r'classes of mine.* of yours \(class 1 is car and tree\)'):
        require_same_classes(first, second)
    longer = LabelSet('longer', (*first.classes, LabelClass('sky', (0, 0, 9))))
    with pytest.raises(BadInput, match='2 and 3 classes'):
        require_same_classes(first, longer)


def test_worst_frames_come_first_and_unlabeled_ones_never(tiny_model):
    evaluation = Evaluation(Segmenter.load(tiny_model, engine='torch', device='cpu'))
    evaluation.frame_iou = [0.4, float('nan'), 0.2, 0.4, 0.9]
    assert evaluation.worst(3) == [2, 0, 3]
    assert evaluation.worst(9) == [2, 0, 3, 4]
    assert evaluation.worst(0) == []


def test_pixels_are_counted_at_the_size_of_the_labels(tiny_model):
    segmenter = Segmenter.load(tiny_model, engine='torch', device='cpu')
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    evaluation = Evaluation(segmenter)
    evaluation.add(image, np.zeros((90, 120), np.uint8))
    assert evaluation.matrix.counts.sum() == 90 * 120


@pytest.mark.parametrize('labels', [CAMVID, CITYSCAPES], ids=lambda labels: labels.name)
def test_the_confusion_figure_shows_shares_of_the_true_class(labels):
    matrix = ConfusionMatrix(len(labels))
    truth = np.arange(len(labels) - 1, dtype=np.uint8)[None]
    matrix.add(truth, truth)
    axes = confusion_figure('title', matrix, labels).axes[0]
    shares = axes.images[0].get_array()
    assert (np.diagonal(shares)[:-1] == 1).all() and shares.sum() == len(labels) - 1
    assert shares[-1].mask.all()  # the last class does not occur
    assert [text.get_text() for text in axes.get_yticklabels()] == labels.names
    assert [text.get_text() for text in axes.get_xticklabels()] == [
        *labels.names, 'IoU', 'share of pixels']
    matrix.add(truth, np.full_like(truth, 255))
    axes = confusion_figure('title', matrix, labels).axes[0]
    assert axes.get_xticklabels()[len(labels)].get_text() == 'none'
    assert {text.get_text() for text in axes.texts} == {
        '50', '-', '0.0', f'{100 / (len(labels) - 1):.1f}'}


def test_a_report_needs_matplotlib(camvid, tiny_model, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    assert run('--root', camvid, '--model', tiny_model, '--out', tmp_path / 'out') == 1
    captured = capsys.readouterr()
    assert 'pip install matplotlib' in captured.err and 'mIoU' not in captured.out
    assert run('--root', camvid, '--model', tiny_model) == 0
