"""Inference with the package's own C++ code on a CPU."""

import numpy as np
from numpy.typing import NDArray

from enet_ros.config import ModelConfig
from enet_ros.engines.device import usable_cores
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.native_library import (
    NativeNetwork,
    load_library,
    precision_of,
    variants,
)
from enet_ros.engines.native_weights import native_weights
from enet_ros.errors import BadInput
from enet_ros.logger import logger
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.loading import OwnNetwork
from enet_ros.models.stored_network import as_stored

FLOAT16_MAX = 65504


class NativeEngine:
    """ENet in the authors' layout, from the weights of a checkpoint, without PyTorch.

    Precision 'auto' is that of the fastest variant: float16 on processors with float16
    arithmetic, else float32.

    network: the trained network; it is not changed.
    spec: what the network's checkpoint says of it.
    inference_spec: input and output size.
    config: device, precision and threads are used.
    variant: instruction set, one of `native_library.variants()`; '' means the fastest one of the
        precision.

    Attributes: `variant` and `threads` in use.
    """

    def __init__(self, network: OwnNetwork, spec: ModelSpec, inference_spec: InferenceSpec,
                 config: ModelConfig, variant: str = '') -> None:
        if config.device == 'cuda':
            raise BadInput('engine native runs on CPUs, and device cuda is requested; choose '
                           'device cpu, or engine torch or tensorrt')
        stored = as_stored(network)
        weights = native_weights(stored, spec)
        load_library()
        self.variant = variant or _fastest_variant(config.precision, weights)
        self.threads = _threads(config.threads)
        self._network = NativeNetwork(self.variant, inference_spec, stored.classes, self.threads,
                                      weights, spec.temperature)
        self.name = f'native cpu {precision_of(self.variant)}'
        self.inference_spec = inference_spec
        logger.info('engine native: instruction set %s, %d threads, %.1f MB', self.variant,
                    self.threads, self._network.memory / 1e6)

    def infer(self, image: NDArray[np.uint8], confidence: bool
              ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        self.inference_spec.check_image(image)
        return self._network.run(image, confidence)


def _fastest_variant(precision: str, weights: NDArray[np.float32]) -> str:
    """Return the fastest variant of a precision; raise BadInput if there is none."""
    fits = np.abs(weights).max() <= FLOAT16_MAX
    found = [variant for variant in variants()
             if precision in ('auto', precision_of(variant))
             and (fits or precision_of(variant) == 'float32')]
    if found:
        return found[0]
    if precision == 'float16' and not fits:
        raise BadInput('the model has weights beyond the range of float16; choose precision '
                       'float32')
    raise BadInput(f'engine native does not support {precision} on this processor; choose '
                   'precision auto or float32')


def _threads(requested: int) -> int:
    """Return the number of threads: as many as this process may use cores, or fewer."""
    cores = usable_cores()
    if requested > cores:
        logger.warning('model.threads is %d, but this process may use %d cores; engine native '
                       'runs on %d threads', requested, cores, cores)
    return min(requested or cores, cores)
