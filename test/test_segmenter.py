"""The Segmenter, and the steps before and after the network."""

import numpy as np
import pytest
import torch

from enet_ros import postprocess
from enet_ros.budget import Recent, StageTimer
from enet_ros.checkpoint import ModelSpec
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.preprocess import network_input
from enet_ros.segmenter import Segmenter

RNG = np.random.default_rng(2)
SPEC = ModelSpec(CAMVID, width=64, height=48)


@pytest.fixture(scope='module')
def segmenter():
    torch.manual_seed(0)
    ticks = iter(range(10_000))
    return Segmenter(SPEC.build().eval(), SPEC, device='cpu', clock=lambda: next(ticks))


def test_a_segmentation(segmenter):
    image = RNG.integers(0, 256, (90, 120, 3), np.uint8)
    result = segmenter(image)
    assert result.labels.shape == result.confidence.shape == (48, 64)
    assert result.labels.max() < len(CAMVID)
    # One tick at the start and one at the end of each stage.
    assert result.timings == {'preprocessing': 1000.0, 'inference': 1000.0}


def test_channel_order_does_not_matter(segmenter):
    image = RNG.integers(0, 256, (48, 64, 3), np.uint8)
    as_bgr = segmenter(image[:, :, ::-1], order='bgr')
    assert np.array_equal(segmenter(image).labels, as_bgr.labels)


def test_the_size_can_be_chosen():
    segmenter = Segmenter(SPEC.build().eval(), SPEC, device='cpu', width=96, height=40)
    segmenter.warm_up()
    assert segmenter(np.zeros((20, 20, 3), np.uint8)).labels.shape == (40, 96)


@pytest.mark.parametrize('image', [
    np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32),
    np.zeros((0, 4, 3), np.uint8)], ids=['grey', 'four channels', 'float', 'empty'])
def test_what_is_no_image_is_refused(segmenter, image):
    with pytest.raises(BadInput, match='it must be uint8'):
        segmenter(image)


def test_network_input_keeps_an_image_that_fits():
    image = RNG.integers(0, 256, (48, 64, 3), np.uint8)
    assert np.array_equal(network_input(image, 64, 48), image)
    assert np.array_equal(network_input(image, 64, 48, 'bgr'), image[:, :, ::-1])


def test_shrinking_keeps_the_mean():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::4] = 200
    assert abs(int(network_input(stripes, 16, 16).mean()) - 50) <= 1


def test_labels_are_scaled_to_ids_that_exist():
    labels = RNG.choice(np.array([0, 3, 10, 255], np.uint8), (48, 64))
    scaled = postprocess.scale_labels(labels, 150, 91)
    assert scaled.shape == (91, 150)
    assert set(np.unique(scaled)) == {0, 3, 10, 255}


def test_scaling_labels_takes_the_nearest_centre():
    labels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(postprocess.scale_labels(labels, 6, 4),
                          np.repeat(np.repeat(labels, 2, 0), 2, 1))
    assert postprocess.scale_labels(labels, 1, 1)[0, 0] in (1, 4)


def test_colours_masks_and_overlay():
    labels = RNG.integers(0, 11, (30, 40), np.uint8)
    labels[0, 0] = 255
    color = postprocess.colorize(labels, CAMVID.palette())
    assert np.array_equal(color, CAMVID.palette()[labels])
    assert not color[0, 0].any()
    mask = postprocess.class_mask(labels, 3)
    assert np.array_equal(mask, np.where(labels == 3, 255, 0))
    image = RNG.integers(0, 256, (30, 40, 3), np.uint8)
    assert np.array_equal(postprocess.overlay(image, color, 0.0), image)
    assert np.array_equal(postprocess.overlay(image, color, 1.0), color)


def test_stage_timer_adds_up():
    now = [0.0]
    timer = StageTimer(lambda: now[0])
    for seconds in (0.5, 0.25):
        with timer.stage('work'):
            now[0] += seconds
        now[0] += 7
    assert timer.milliseconds == {'work': 750.0}


def test_percentiles_of_the_newest():
    recent = Recent(size=101)
    assert all(np.isnan(recent.percentiles(50, 99)))
    for value in range(1000):
        recent.add(value)
    assert recent.percentiles(0, 50, 100) == [899, 949, 999]
