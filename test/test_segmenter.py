"""The Segmenter: sizes, channel order, timings and rejected images."""

import numpy as np
import pytest
import torch

from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.segmenter import Segmenter

RNG = np.random.default_rng(2)
SPEC = ModelSpec(CAMVID, width=64, height=48)


@pytest.fixture(scope='module')
def segmenter():
    torch.manual_seed(0)
    ticks = iter(range(10_000))
    return Segmenter(SPEC.build().eval(), SPEC, engine='torch', device='cpu',
                     clock=lambda: next(ticks))


def test_a_prediction_has_the_network_size_and_timings(segmenter):
    image = RNG.integers(0, 256, (90, 120, 3), np.uint8)
    result = segmenter(image)
    assert result.labels.shape == result.confidence.shape == (48, 64)
    assert result.labels.max() < len(CAMVID)
    # One tick at the start and one at the end of each stage.
    assert result.timings == {'preprocessing': 1000.0, 'inference': 1000.0}


def test_the_output_size_can_be_set():
    segmenter = Segmenter(SPEC.build().eval(), SPEC, engine='torch', device='cpu',
                          output_size=(100, 50), filter='linear')
    assert segmenter.size == (64, 48)
    result = segmenter(np.zeros((20, 20, 3), np.uint8))
    assert result.labels.shape == result.confidence.shape == (50, 100)


def test_the_choice_of_the_engine_has_a_reason(segmenter):
    assert segmenter.engine.name == 'torch cpu float32'
    assert segmenter.engine_reason == 'requested'


def test_rgb_and_bgr_images_give_the_same_labels(segmenter):
    image = RNG.integers(0, 256, (48, 64, 3), np.uint8)
    as_bgr = segmenter(image[:, :, ::-1], order='bgr')
    assert np.array_equal(segmenter(image).labels, as_bgr.labels)


def test_the_network_size_can_be_set():
    segmenter = Segmenter(SPEC.build().eval(), SPEC, engine='torch', device='cpu', width=96,
                          height=40)
    segmenter.warm_up()
    assert segmenter(np.zeros((20, 20, 3), np.uint8)).labels.shape == (40, 96)


@pytest.mark.parametrize('image', [
    np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32),
    np.zeros((0, 4, 3), np.uint8)], ids=['gray', 'four channels', 'float', 'empty'])
def test_invalid_images_are_rejected(segmenter, image):
    with pytest.raises(BadInput, match='it must be uint8'):
        segmenter(image)
