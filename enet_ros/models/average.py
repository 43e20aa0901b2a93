"""The mean of the weights of several checkpoints: `enet average`."""

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from enet_ros.errors import BadInput
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.layers import shape_differences

# What a network was trained with; the weights of others have another meaning.
SHARED = 'architecture', 'architecture_options', 'labels', 'mean', 'std'


def average(paths: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> ModelSpec:
    """Write the mean of the weights of checkpoints to `out` in float16; return its spec.

    The mean is good if the weights are near each other, as those of one run, or of runs that
    started from the same weights (arXiv:2203.05482); its scores and its temperature are unknown.
    The input size is that of the first checkpoint, and the licenses of all apply.

    Raise BadInput if there are fewer than two, if one cannot be read, if they differ in their
    layers, classes or normalization, or if `out` cannot be written.
    """
    if len(paths) < 2:
        raise BadInput(f'an average needs at least two models, not {len(paths)}; name more')
    networks, specs = zip(*map(checkpoint.read, paths))
    shapes = {name: value.shape for name, value in networks[0].weights.items()}
    for path, network, spec in zip(paths[1:], networks[1:], specs[1:]):
        for item in SHARED:
            mine, other = getattr(specs[0], item), getattr(spec, item)
            if mine != other:
                raise BadInput(f'{path} differs from {paths[0]} in {item}; average checkpoints of '
                               'the same network, classes and normalization')
        others = {name: value.shape for name, value in network.weights.items()}
        if differences := shape_differences(others, shapes):
            raise BadInput(f'{path} has other weights than {paths[0]}: {differences[0]}; average '
                           'checkpoints of the same network')
    weights = {name: np.asarray(np.mean([network.weights[name] for network in networks], 0,
                                        np.float64), np.float16) for name in shapes}
    spec = replace(
        specs[0], temperature=1.0, metrics={},
        training={'average': [spec.training for spec in specs]},
        license=' '.join(dict.fromkeys(spec.license for spec in specs if spec.license)))
    checkpoint.write(out, weights, spec)
    return spec
