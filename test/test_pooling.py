"""Pooling and unpooling: the same results as torch, with ties."""

import pytest
import torch
from torch.nn import functional as F

from enet_ros.models.pooling import pool_2x2, unpool_2x2


def _images_with_ties():
    generator = torch.Generator().manual_seed(3)
    yield 'constant', torch.full((2, 3, 8, 12), 0.7)
    yield 'zero', torch.zeros(1, 4, 6, 6)
    yield 'few values', torch.randint(0, 2, (4, 5, 16, 16), generator=generator).float()
    yield 'many values', torch.randn(2, 5, 10, 14, generator=generator)


@pytest.mark.parametrize('image', [
    pytest.param(image, id=name) for name, image in _images_with_ties()])
def test_unpooling_equals_max_unpool2d(image):
    pooled, position = pool_2x2(image)
    expected, indices = F.max_pool2d(image, 2, return_indices=True)
    assert torch.equal(pooled, expected)
    values = torch.randn(pooled.shape)
    assert torch.equal(unpool_2x2(values, position), F.max_unpool2d(values, indices, 2))
