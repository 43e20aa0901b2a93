"""Inference with OpenVINO on a CPU."""

from enet_ros.engines.cache import cache_folder
from enet_ros.engines.engine import require_size
from enet_ros.engines.onnx_graph import cached_onnx
from enet_ros.errors import BadInput

PRECISIONS = {'float32': 'f32', 'bfloat16': 'bf16'}


class OpenVinoEngine:
    """The deployed network compiled by OpenVINO.

    Precision auto is bfloat16 on processors that have it in hardware, else float32. The graphs
    with and without confidence are compiled when they are first asked for.
    """

    def __init__(self, model, spec, task, config):
        if config.device == 'cuda':
            raise BadInput('engine openvino runs on CPUs, and device cuda was asked for; choose '
                           'device cpu, or engine torch or tensorrt')
        try:
            import openvino
        except ImportError as error:
            raise BadInput(f'the package openvino cannot be loaded: {error}; install it again, '
                           'or choose engine torch') from error
        self.task = task
        self.core = openvino.Core()
        capabilities = self.core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES')
        precision = config.precision
        if precision == 'auto':
            precision = 'bfloat16' if 'BF16' in capabilities else 'float32'
        if precision not in PRECISIONS or (precision == 'bfloat16' and 'BF16' not in capabilities):
            raise BadInput(f'engine openvino cannot compute {precision} on this processor; choose '
                           'precision auto or float32')
        self.settings = {'PERFORMANCE_HINT': 'LATENCY',
                         'INFERENCE_PRECISION_HINT': PRECISIONS[precision]}
        if config.threads:
            self.settings['INFERENCE_NUM_THREADS'] = config.threads
        self.name = f'openvino cpu {precision}'
        self.source = model, spec, cache_folder(config.cache_folder)
        self.requests = {}

    def infer(self, image, confidence):
        require_size(image, self.task)
        # In a thread of OpenVINO's: in the caller's, the same work takes half as long again where
        # the stack happens to lie badly.
        request = self._request(bool(confidence))
        request.start_async([image[None]], share_inputs=True)
        request.wait()
        labels, *rest = (tensor.data[0] for tensor in request.output_tensors)
        return labels, rest[0] if rest else None

    def _request(self, confidence):
        if confidence not in self.requests:
            model, spec, folder = self.source
            graph = self.core.read_model(cached_onnx(folder, model, spec, self.task, confidence))
            compiled = self.core.compile_model(graph, 'CPU', self.settings)
            self.requests[confidence] = compiled.create_infer_request()
        return self.requests[confidence]
