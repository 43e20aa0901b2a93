"""Metrics, compared with values computed by hand and with the official Cityscapes evaluator."""

import contextlib
import io

import numpy as np
import pytest
from sample_data import make_cityscapes, write

from enet_ros.data.cityscapes import LABEL_IDS
from enet_ros.data.datasets import open_dataset
from enet_ros.evaluation.cityscapes_metrics import (
    AVERAGE_SIZES,
    CATEGORIES,
    InstanceCounts,
    category_iou,
)
from enet_ros.evaluation.metrics import ConfusionMatrix
from enet_ros.evaluation.scores import Scores
from enet_ros.labels import CAMVID, CITYSCAPES

ROAD, SIDEWALK, SKY, PERSON, RIDER, CAR, TRUCK = map(CITYSCAPES.id_of, (
    'road', 'sidewalk', 'sky', 'person', 'rider', 'car', 'truck'))


def count(classes, truth, prediction):
    matrix = ConfusionMatrix(classes)
    matrix.add(np.array([truth], np.uint8), np.array([prediction], np.uint8))
    return matrix


def test_scores_computed_by_hand():
    matrix = count(3, [0, 0, 1, 1, 1, 255], [0, 1, 1, 1, 0, 0])
    assert matrix.iou()[:2].tolist() == [1 / 3, 2 / 4]
    assert np.isnan(matrix.iou()[2])
    assert matrix.mean_iou() == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert matrix.class_accuracy()[:2].tolist() == [1 / 2, 2 / 3]
    assert np.isnan(matrix.class_accuracy()[2])
    assert matrix.class_average_accuracy() == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert matrix.accuracy() == 3 / 5


def test_a_class_that_is_only_predicted_has_an_iou_and_no_accuracy():
    matrix = count(2, [0, 0], [0, 1])
    assert matrix.iou().tolist() == [1 / 2, 0.0]
    assert matrix.class_average_accuracy() == 1 / 2


def test_no_prediction_is_a_miss_of_the_true_class_only():
    matrix = count(2, [0, 0, 1, 1], [0, 255, 1, 1])
    assert matrix.iou().tolist() == [1 / 2, 1.0]
    assert matrix.class_accuracy().tolist() == [1 / 2, 1.0]


def test_an_empty_matrix_has_no_scores():
    matrix = ConfusionMatrix(2)
    assert np.isnan([matrix.mean_iou(), matrix.class_average_accuracy(), matrix.accuracy()]).all()


def test_matrices_add_up():
    truth, prediction = np.random.default_rng(0).integers(0, 5, (2, 40))
    total = count(4, truth[:15], prediction[:15])
    total += count(4, truth[15:], prediction[15:])
    np.testing.assert_array_equal(total.counts, count(4, truth, prediction).counts)
    with pytest.raises(ValueError, match='3 classes cannot be added to 4'):
        total += ConfusionMatrix(3)


def test_shapes_must_match():
    with pytest.raises(ValueError, match='ground truth is'):
        ConfusionMatrix(2).add(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))


def test_confusions_within_a_group_are_correct():
    matrix = count(3, [0, 0, 1, 2, 2], [1, 255, 1, 2, 0]).grouped([0, 0, 1])
    assert matrix.counts.tolist() == [[2, 0, 1], [1, 1, 0]]


def test_scores_by_name():
    scores = Scores.of(count(11, [0, 0, 3, 3], [0, 3, 3, 3]), CAMVID)
    assert list(scores.iou) == CAMVID.names
    assert (scores.iou['Sky'], scores.accuracy['Sky']) == (0.5, 0.5)
    assert scores.mean_iou == pytest.approx((1 / 2 + 2 / 3) / 2)
    data = scores.to_dict()
    assert list(data) == ['pixel_accuracy', 'mean_iou', 'mean_accuracy', 'iou', 'accuracy']
    assert data['mean_iou'] == scores.mean_iou
    assert data['mean_accuracy'] == data['pixel_accuracy'] == 0.75


def test_categories_of_cityscapes():
    assert sorted(sum(CATEGORIES.values(), ())) == sorted(CITYSCAPES.names)
    scores = category_iou(count(19, [ROAD, ROAD, SKY, CAR], [SIDEWALK, SKY, SKY, TRUCK]))
    assert (scores['flat'], scores['sky'], scores['vehicle']) == (1 / 2, 1 / 2, 1.0)
    assert np.isnan(scores['human'])


def test_each_instance_counts_as_one_of_average_size():
    """A car of 8 pixels is found, one of 2 missed; 1 pixel of road is predicted as car."""
    truth = np.array([[CAR] * 10 + [ROAD] * 2], np.uint8)
    instances = np.array([[26001] * 8 + [26002] * 2 + [7] * 2], np.int32)
    prediction = np.array([[CAR] * 8 + [TRUCK, ROAD] + [CAR, ROAD]], np.uint8)
    counts, matrix = InstanceCounts(), ConfusionMatrix(19)
    counts.add(instances, prediction)
    matrix.add(truth, prediction)
    size = AVERAGE_SIZES['car']
    assert counts.iou(matrix)['car'] == pytest.approx(size / (2 * size + 1))
    assert counts.category_iou(matrix)['vehicle'] == pytest.approx(1.5 * size / (2 * size + 1))
    assert counts.iou(matrix)['truck'] == 0  # predicted, but it does not occur
    assert np.isnan(counts.iou(matrix)['bus'])


def test_groups_of_objects_and_void_objects_are_no_instances():
    counts = InstanceCounts()
    counts.add(np.array([[26, 24, 0, 29001, 30002]]), np.full((1, 5), CAR, np.uint8))
    assert not counts.counts.any()


def test_instance_counts_add_up():
    instances = np.array([[26001, 26001, 24001, 7]])
    prediction = np.array([[CAR, SKY, RIDER, ROAD]], np.uint8)
    total, twice = InstanceCounts(), InstanceCounts()
    for _ in range(2):
        part = InstanceCounts()
        part.add(instances, prediction)
        total += part
        twice.add(instances, prediction)
    assert total.counts.any()
    np.testing.assert_array_equal(total.counts, twice.counts)


@pytest.fixture(scope='module')
def annotated(tmp_path_factory):
    """Return a tree with all of Cityscapes' label ids, and a prediction of class ids per frame.

    Instances have many sizes, and some objects are annotated as groups.
    """
    rng = np.random.default_rng(8)
    root = make_cityscapes(tmp_path_factory.mktemp('cityscapes'), (96, 64), splits=('val',))
    predictions = []
    for file in sorted(root.glob('gtFine/val/*/*_labelIds.png')):
        labels = np.kron(rng.integers(0, 34, (8, 12)), np.ones((8, 8), int)).astype(np.uint16)
        numbers = np.kron(rng.integers(0, 9, (16, 16)), np.ones((4, 6), int))
        individual = (labels >= 24) & (numbers > 2)
        write(file, labels.astype(np.uint8))
        write(file.with_name(file.name.replace('labelIds', 'instanceIds')),
              np.where(individual, 1000 * labels + numbers, labels).astype(np.uint16))
        class_of_label = np.full(256, 255, np.uint8)
        class_of_label[list(LABEL_IDS)] = range(19)
        guess = rng.choice([*range(19), 255], labels.shape)
        correct = rng.random(labels.shape) < 0.6
        predictions.append(np.where(correct, class_of_label[labels], guess).astype(np.uint8))
    return root, predictions


def test_agreement_with_the_official_evaluator(annotated, tmp_path, monkeypatch):
    official = pytest.importorskip(
        'cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling',
        reason='cityscapesscripts is not installed; it is in the extra test')
    monkeypatch.setattr(np, 'in1d', np.isin, raising=False)  # newer NumPy lacks it
    root, predictions = annotated
    frames = open_dataset('cityscapes', root).splits['val']
    matrix, instances = ConfusionMatrix(19), InstanceCounts()
    label_ids = np.zeros(256, np.uint8)  # 0, unlabeled, if there is no prediction
    label_ids[:19] = LABEL_IDS
    predicted, truths = [], []
    for index, prediction in enumerate(predictions):
        matrix.add(frames[index][1], prediction)
        instances.add(frames.instances(index, prediction.shape), prediction)
        predicted.append(str(write(tmp_path / f'{frames.names[index]}_pred.png',
                                   label_ids[prediction])))
        truths.append(str(next(root.glob(
            f'gtFine/val/*/{frames.names[index]}_gtFine_labelIds.png'))))
    ours = Scores.of(matrix, CITYSCAPES, instances).to_dict()

    monkeypatch.setattr(official.args, 'JSONOutput', False)
    monkeypatch.setattr(official.args, 'quiet', True)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = official.evaluateImgLists(predicted, truths, official.args)
    for kind, name, average in (
            ('iou', 'classScores', 'averageScoreClasses'),
            ('iiou', 'classInstScores', 'averageScoreInstClasses'),
            ('category_iou', 'categoryScores', 'averageScoreCategories'),
            ('category_iiou', 'categoryInstScores', 'averageScoreInstCategories')):
        known = {key: value for key, value in theirs[name].items() if not np.isnan(value)}
        assert ours[kind] == pytest.approx(known, abs=1e-6), kind
        assert ours[f'mean_{kind}'] == pytest.approx(theirs[average], abs=1e-6)
