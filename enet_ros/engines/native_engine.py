"""Inference with the package's own C++ code on a CPU."""

import numpy as np
from numpy.typing import NDArray

from enet_ros.config import ModelConfig
from enet_ros.engines.device import usable_cores
from enet_ros.engines.graph import InferenceGraph, nearest_indices
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.native_library import NativeNetwork, load_library, variants
from enet_ros.engines.native_weights import check_layout, native_weights
from enet_ros.errors import BadInput
from enet_ros.logger import logger
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.network import Network

FLOAT16_MAX = 65504


class NativeEngine:
    """ENet in the authors' layout, from weights that the inference graph has folded.

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

    def __init__(self, network: Network, spec: ModelSpec, inference_spec: InferenceSpec,
                 config: ModelConfig, variant: str = '') -> None:
        if config.device == 'cuda':
            raise BadInput('engine native runs on CPUs, and device cuda is requested; choose '
                           'device cpu, or engine torch or tensorrt')
        check_layout(network)
        load_library()
        weights = native_weights(InferenceGraph(network, spec, inference_spec))
        self.variant = variant or _fastest_variant(config.precision, weights)
        self.threads = _threads(config.threads)
        columns = rows = None
        if inference_spec.resizes and inference_spec.filter == 'nearest':
            width, height = inference_spec.output_size
            columns = nearest_indices(inference_spec.width, width).numpy().astype(np.int32)
            rows = nearest_indices(inference_spec.height, height).numpy().astype(np.int32)
        self._network = NativeNetwork(self.variant, inference_spec, network.classes, self.threads,
                                      weights, spec.temperature, columns, rows)
        self.name = f'native cpu {_precision(self.variant)}'
        self.inference_spec = inference_spec
        logger.info('engine native: instruction set %s, %d threads, %.1f MB', self.variant,
                    self.threads, self._network.memory / 1e6)

    def infer(self, image: NDArray[np.uint8], confidence: bool
              ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        self.inference_spec.check_image(image)
        return self._network.run(image, confidence)


def _precision(variant: str) -> str:
    return 'float16' if variant.endswith('_fp16') else 'float32'


def _fastest_variant(precision: str, weights: NDArray[np.float32]) -> str:
    """Return the fastest variant of a precision; raise BadInput if there is none."""
    fits = np.abs(weights).max() <= FLOAT16_MAX
    found = [variant for variant in variants()
             if precision in ('auto', _precision(variant))
             and (fits or _precision(variant) == 'float32')]
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
