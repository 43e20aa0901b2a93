"""The logits of a model, which engines do not return."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from enet_ros.engines.onnx_session import open_session
from enet_ros.errors import BadInput
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.loading import AnyNetwork, AnySpec
from enet_ros.models.network import Network
from enet_ros.models.onnx_network import OnnxNetwork
from enet_ros.models.onnx_spec import OnnxSpec
from enet_ros.models.stored_network import as_module

# RGB image (H, W, 3) of the network's size -> float32 (classes, H, W)
Logits = Callable[[NDArray[np.uint8]], Tensor]


def logits_of(network: AnyNetwork, spec: AnySpec) -> Logits:
    """Return a function that computes the logits of an image, in float32.

    Raise BadInput if an ONNX network does not predict logits, or if no runtime is installed.
    """
    if isinstance(network, OnnxNetwork):
        assert isinstance(spec, OnnxSpec)
        return _of_onnx_network(network, spec)
    assert isinstance(spec, ModelSpec)
    return _of_network(as_module(network), spec)


def _of_network(network: Network, spec: ModelSpec) -> Logits:
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (spec.mean, spec.std))

    def logits(image: NDArray[np.uint8]) -> Tensor:
        x = torch.from_numpy(image).permute(2, 0, 1)[None] / 255  # (1, 3, H, W)
        return network((x - mean) / std)[0]

    return logits


def _of_onnx_network(network: OnnxNetwork, spec: OnnxSpec) -> Logits:
    if spec.output != 'logits':
        raise BadInput(f'{network.path} predicts {spec.output}, and a temperature needs logits; '
                       'export the network without what follows its logits')
    session = open_session(network.content, str(network.path))

    def logits(image: NDArray[np.uint8]) -> Tensor:
        scores = torch.from_numpy(np.array(session.run(spec.input.array(image)), np.float32))
        if spec.input.layout == 'NHWC':
            scores = scores.permute(0, 3, 1, 2)
        return F.interpolate(scores, image.shape[:2], mode='bilinear')[0]  # as the graph does

    return logits
