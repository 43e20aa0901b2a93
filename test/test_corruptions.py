"""Corruptions of images, and the benchmark of robustness."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from sample_data import make_camvid

from enet_ros.data.datasets import open_dataset
from enet_ros.errors import BadInput
from enet_ros.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from enet_ros.evaluation.evaluate import evaluate
from enet_ros.segmenter import Segmenter
from enet_ros.synthetic.street import SyntheticStreet

PROGRAM = Path(__file__).parents[1] / 'benchmarks/robustness.py'


@pytest.fixture(scope='module')
def image():
    return SyntheticStreet(240, 180, seed=4).render(3).image


def difference(first, second):
    return np.abs(first.astype(int) - second).mean()


@pytest.mark.parametrize('name', CORRUPTIONS)
class TestCorruption:
    def test_size_and_type_are_kept_and_the_image_is_not_changed(self, name, image):
        before = image.copy()
        for size in ((240, 180), (37, 29), (1, 1)):
            scaled = cv2.resize(image, size)
            for strength in (0, 0.5, *STRENGTHS):
                result = corrupt(scaled, name, strength)
                assert result.shape == scaled.shape and result.dtype == np.uint8
        assert np.array_equal(image, before)

    def test_strength_0_is_the_image(self, name, image):
        result = corrupt(image, name, 0)
        if name == 'JPEG':  # of quality 100, with colors at half the resolution
            assert difference(result, image) < 4
        else:
            assert np.array_equal(result, image)

    @pytest.mark.parametrize('seed', [0, 1, 2])
    def test_stronger_ones_are_further_from_the_image(self, name, image, seed):
        away = [difference(corrupt(image, name, strength, seed), image)
                for strength in (0, 0.5, *STRENGTHS)]
        assert away == sorted(away) and len(set(away)) == len(away)
        assert away[2] > 1

    def test_it_depends_on_the_seed_alone(self, name, image):
        first, again, other = (corrupt(image, name, 3, seed) for seed in (5, 5, 6))
        assert np.array_equal(first, again)
        deterministic = name in ('JPEG', 'exposure', 'hue')  # hue: one of two directions
        assert deterministic or not np.array_equal(first, other)


def test_jpeg_of_strength_3_has_quality_30(image):
    _, data = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 30])
    assert np.array_equal(corrupt(image, 'JPEG', 3), cv2.imdecode(data, 1)[..., ::-1])


def test_fog_hides_the_horizon_more_than_the_ground():
    stripes = np.zeros((100, 100, 3), np.uint8)
    stripes[:, ::2] = 255
    contrast = corrupt(stripes, 'fog', 3).astype(float).std(1).mean(1)
    assert contrast[-1] > 2 * contrast[45] > 0


def test_motion_blur_does_not_shift_or_darken():
    image = np.zeros((61, 61, 3), np.uint8)
    image[30, 30] = 255
    blurred = corrupt(image, 'motion blur', 5).astype(float)
    blurred /= blurred.sum()
    rows, columns, _ = np.indices(blurred.shape)
    assert ((rows * blurred).sum(), (columns * blurred).sum()) == pytest.approx((30, 30), abs=0.1)
    assert np.array_equal(corrupt(np.full_like(image, 99), 'motion blur', 5), image * 0 + 99)


@pytest.mark.parametrize('name, strength, complaint', [
    ('snow', 1, "unknown corruption 'snow'; choose one of fog, rain"),
    ('fog', -1, 'strength is -1; it must be from 0 to 5'),
    ('fog', 5.1, 'strength is 5.1; it must be'),
    ('fog', float('nan'), 'strength is nan; it must be')])
def test_bad_requests_are_rejected(image, name, strength, complaint):
    with pytest.raises(BadInput, match=complaint):
        corrupt(image, name, strength)


def robustness(*arguments):
    return subprocess.run(
        [sys.executable, PROGRAM, *arguments], capture_output=True, text=True, timeout=300,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))})


def test_the_benchmark_prints_the_scores_of_corrupted_frames(tiny_model, tmp_path):
    camvid = make_camvid(tmp_path, train=0, val=3)
    result = robustness(tiny_model, 'enet_camvid', '--root', camvid, '--engine', 'torch',
                        '--streets', '2')
    assert result.returncode == 0, result.stderr
    lines = [[cell.strip() for cell in line.strip('| ').split('|')]
             for line in result.stdout.splitlines() if line.startswith('| ')]
    frames = open_dataset('camvid', camvid).splits['val']
    for model in (str(tiny_model), 'enet_camvid'):
        segmenter = Segmenter.load(model, engine='torch')
        clean = evaluate(segmenter, [frames[index] for index in range(3)])
        foggy = evaluate(segmenter, [(corrupt(frames[index][0], 'fog', 5, index),
                                      frames[index][1]) for index in range(3)])
        row = next(line for line in lines if line[:2] == ['fog', model])
        assert float(row[2]) == pytest.approx(clean.mean_iou(), abs=6e-4)
        assert float(row[-1]) == pytest.approx(foggy.mean_iou(), abs=6e-4)
        named = [line[0] for line in lines if line[1] == model]
        assert named == 2 * [*CORRUPTIONS, 'mean'] + 2 * ['height'] + 2 * ['pitch']


def test_a_missing_split_is_rejected(tmp_path):
    camvid = make_camvid(tmp_path, train=0, val=1)
    result = robustness('enet_camvid', '--root', camvid, '--split', 'test')
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("camvid has no split 'test'")
