"""The model pool: sizes and segmenters."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from enet_ros.config import (
    InputConfig,
    LatencyConfig,
    ModelConfig,
    OutputConfig,
    SegmentationConfig,
)
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID
from enet_ros.latency.model_pool import ModelPool, network_sizes
from enet_ros.models.checkpoint import ModelSpec

SPEC = ModelSpec(CAMVID, width=640, height=360)
STRIDE_32 = replace(SPEC, architecture='segnet')


def config(width=0, height=0, **latency):
    return SegmentationConfig(input=InputConfig(width=width, height=height),
                              latency=LatencyConfig(budget_ms=50.0, **latency))


@pytest.mark.parametrize('settings, sizes', [
    (config(), [(640, 360)]),
    (config(sizes=('320x180',)), [(640, 360)]),
    (config(512, 256), [(512, 256)]),
    (config(adaptive=True), [(640, 360), (480, 272), (320, 176)]),
    (config(512, 256, adaptive=True), [(512, 256), (384, 192), (256, 128)]),
    (config(adaptive=True, sizes=('64x48', '96x72', '80x60')), [(96, 72), (80, 60), (64, 48)])])
def test_network_sizes(settings, sizes):
    assert network_sizes(settings, SPEC) == sizes


def test_scaled_sizes_are_multiples_of_the_stride():
    assert network_sizes(config(adaptive=True), STRIDE_32) == [
        (640, 360), (480, 256), (320, 192)]
    assert network_sizes(config(32, 32, adaptive=True), STRIDE_32) == [(32, 32)]


def test_sizes_set_in_two_places_are_rejected():
    with pytest.raises(BadInput, match='leave the first two at 0, or latency.sizes empty'):
        network_sizes(config(512, 256, adaptive=True, sizes=('320x180',)), SPEC)


@pytest.mark.parametrize('output_size', ['input', '50x40'])
def test_a_segmenter_for_each_size(tiny_model, output_size):
    pool = ModelPool(SegmentationConfig(
        model=ModelConfig(path=str(tiny_model), engine='torch', device='cpu'),
        output=OutputConfig(size=output_size),
        latency=LatencyConfig(budget_ms=50.0, adaptive=True, sizes=('64x48', '32x32'))),
        clock=count(step=0.1).__next__)
    assert list(pool.segmenters) == [(64, 48), (32, 32)]
    assert pool.segmenter.size == (64, 48) and pool.engine.name == 'torch cpu float32'
    assert pool.labels == CAMVID
    summary = pool.summary()
    assert summary['requested engine'] == 'torch cpu auto'
    assert summary['engine'] == 'torch cpu float32'
    assert summary['confidence'] == 'temperature 1'
    assert summary['network sizes'] == '64x48 32x32'
    for (width, height), segmenter in pool.segmenters.items():
        labels = segmenter(np.zeros((90, 160, 3), np.uint8)).labels
        assert labels.shape == ((height, width) if output_size == 'input' else (40, 50))
    for _ in range(10):
        pool.policy.observe(age=5.0, work=60.0, inference=58.0)
    assert pool.policy.choose(50.0) == (32, 32)
    assert pool.segmenter.size == (32, 32)
