"""Inference with OpenVINO on a CPU."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enet_ros.config import ModelConfig
from enet_ros.engines.cache import cache_folder
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_graph import cached_onnx, read_outputs
from enet_ros.errors import BadInput, one_line
from enet_ros.models.loading import AnyNetwork, AnySpec, has_confidence

if TYPE_CHECKING:
    from openvino import InferRequest

EXCEPTIONS = RuntimeError, UnicodeDecodeError  # the latter if a message is not text
PRECISION_HINTS = {'float32': 'f32', 'bfloat16': 'bf16'}


class OpenVinoEngine:
    """The inference graph compiled by OpenVINO.

    Precision 'auto' is float32. The graphs with and without confidence are each compiled when
    first used.

    network: the network; it is not changed.
    spec: what is known of it.
    inference_spec: input and output size.
    config: device, precision, threads and cache_folder are used.
    """

    def __init__(self, network: AnyNetwork, spec: AnySpec, inference_spec: InferenceSpec,
                 config: ModelConfig) -> None:
        if config.device == 'cuda':
            raise BadInput('engine openvino runs on CPUs, and device cuda is requested; choose '
                           'device cpu, or engine torch or tensorrt')
        try:
            import openvino
        except ImportError as error:
            raise BadInput(f'the package openvino cannot be imported: {error}; reinstall it, or '
                           'choose engine torch') from error
        self.core = openvino.Core()
        capabilities = self.core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES')
        precision = 'float32' if config.precision == 'auto' else config.precision
        if (precision not in PRECISION_HINTS
                or (precision == 'bfloat16' and 'BF16' not in capabilities)):
            raise BadInput(f'engine openvino does not support {precision} on this processor; '
                           'choose precision auto or float32')
        self.settings: dict[str, str | int] = {
            'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': PRECISION_HINTS[precision]}
        if config.threads:
            self.settings['INFERENCE_NUM_THREADS'] = config.threads
        self.name = f'openvino cpu {precision}'
        self.inference_spec = inference_spec
        self._network, self._spec = network, spec
        self._cache_folder = cache_folder(config.cache_folder)
        self._requests: dict[bool, InferRequest] = {}  # without and with confidence

    def infer(self, image: NDArray[np.uint8], confidence: bool
              ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        self.inference_spec.check_image(image)
        request = self._request(bool(confidence) and has_confidence(self._spec))
        # In a thread of OpenVINO: in the caller's thread, an unfortunate alignment of the stack
        # can make the same work take half as long again.
        try:
            request.start_async([image[None]], share_inputs=True)
            request.wait()
        except EXCEPTIONS as error:  # as of an ONNX network at a size that it does not take
            raise BadInput(f'{self.name} cannot run the network: {one_line(error)}; choose '
                           'another network size or engine') from error
        outputs = [tensor.data for tensor in request.output_tensors]
        return read_outputs(self._network, self._spec, outputs, confidence)

    def _request(self, confidence: bool) -> 'InferRequest':
        if confidence not in self._requests:
            graph = cached_onnx(self._cache_folder, self._network, self._spec,
                                self.inference_spec, confidence)
            try:
                compiled = self.core.compile_model(self.core.read_model(graph), 'CPU',
                                                   self.settings)
            except EXCEPTIONS as error:  # as where ONEDNN_MAX_CPU_ISA is too low
                raise BadInput(f'{self.name} cannot compile the network: {one_line(error)}; '
                               'choose another precision or engine') from error
            self._requests[confidence] = compiled.create_infer_request()
        return self._requests[confidence]
