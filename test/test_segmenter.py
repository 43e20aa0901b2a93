"""The Segmenter, and the measuring of its stages."""

import numpy as np
import pytest
import torch

from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.segmenter import Segmenter
from enet_ros.timing import RollingWindow, StageTimer

RNG = np.random.default_rng(2)
SPEC = ModelSpec(CAMVID, width=64, height=48)


@pytest.fixture(scope='module')
def segmenter():
    torch.manual_seed(0)
    ticks = iter(range(10_000))
    return Segmenter(SPEC.build().eval(), SPEC, engine='torch', device='cpu',
                     clock=lambda: next(ticks))


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
    segmenter = Segmenter(SPEC.build().eval(), SPEC, engine='torch', device='cpu', width=96,
                          height=40)
    segmenter.warm_up()
    assert segmenter(np.zeros((20, 20, 3), np.uint8)).labels.shape == (40, 96)


@pytest.mark.parametrize('image', [
    np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32),
    np.zeros((0, 4, 3), np.uint8)], ids=['grey', 'four channels', 'float', 'empty'])
def test_what_is_no_image_is_refused(segmenter, image):
    with pytest.raises(BadInput, match='it must be uint8'):
        segmenter(image)


def test_stage_timer_adds_up():
    now = [0.0]
    timer = StageTimer(lambda: now[0])
    for seconds in (0.5, 0.25):
        with timer.stage('work'):
            now[0] += seconds
        now[0] += 7
    assert timer.milliseconds == {'work': 750.0}


def test_percentiles_of_the_newest():
    recent = RollingWindow(size=101)
    assert all(np.isnan(recent.percentiles(50, 99)))
    for value in range(1000):
        recent.add(value)
    assert recent.percentiles(0, 50, 100) == [899, 949, 999]
