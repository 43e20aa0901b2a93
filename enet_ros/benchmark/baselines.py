"""What one would run without this package, for comparison with the engines.

Each function returns a function, image uint8 (H, W, 3) RGB -> labels uint8 (H, W).
"""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from enet_ros.benchmark.measure import Image, Labels, Run
from enet_ros.engines.graph import replace_poolings
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_export import to_onnx, trace_to_onnx
from enet_ros.errors import BadInput
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.network import Network


def plain_pytorch(network: Network, spec: ModelSpec, width: int, height: int, threads: int = 0,
                  device: str = 'cpu') -> Run:
    """Run the trained network as ROS nodes commonly do.

    Eager PyTorch in float32, channels first, nothing folded; normalization with NumPy. The arg
    max runs in NumPy on a CPU, where it is faster than PyTorch's, and on the GPU with a GPU.
    """
    pytorch_network = with_torch_pooling(network).to(device)
    if threads:
        torch.set_num_threads(threads)

    @torch.no_grad()
    def run(image: Image) -> Labels:
        logits = pytorch_network(torch.from_numpy(_normalize(image, spec)).to(device))[0]
        if device == 'cpu':
            return logits.numpy().argmax(0).astype(np.uint8)
        return logits.argmax(0).cpu().numpy().astype(np.uint8)

    return run


def plain_onnxruntime(network: Network, spec: ModelSpec, width: int, height: int,
                      threads: int = 0) -> Run:
    """Run a plain export with ONNX Runtime's defaults, and everything else in NumPy."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(plain_onnx(network, width, height), options,
                                           providers=['CPUExecutionProvider'])
    return lambda image: _arg_max(session.run(None, {'image': _normalize(image, spec)})[0])


def plain_openvino(network: Network, spec: ModelSpec, width: int, height: int,
                   threads: int = 0) -> Run:
    """Run a plain export with OpenVINO's defaults, and everything else in NumPy.

    By default OpenVINO computes in bfloat16 if the processor has instructions for it.
    """
    import openvino

    core = openvino.Core()
    settings = {'INFERENCE_NUM_THREADS': threads} if threads else {}
    compiled = core.compile_model(core.read_model(plain_onnx(network, width, height)), 'CPU',
                                  settings)
    return lambda image: _arg_max(compiled(_normalize(image, spec))[0])


def plain_opencv(network: Network, spec: ModelSpec, width: int, height: int,
                 threads: int = 0) -> Run:
    """Run a plain export with OpenCV's DNN module, and everything else in NumPy."""
    import cv2

    if threads:
        cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromONNX(np.frombuffer(plain_onnx(network, width, height), np.uint8))

    def run(image: Image) -> Labels:
        net.setInput(_normalize(image, spec))
        return _arg_max(np.asarray(net.forward()))

    return run


def direct_openvino(network: Network, spec: ModelSpec, width: int, height: int, threads: int = 0,
                    precision: str = 'float32') -> Run:
    """Run the engine's graph by direct calls of OpenVINO, to measure what the engine adds."""
    import openvino

    core = openvino.Core()
    if precision == 'bfloat16' and 'BF16' not in core.get_property(
            'CPU', 'OPTIMIZATION_CAPABILITIES'):
        raise BadInput('this processor has no bfloat16 instructions; choose float32')
    settings: dict[str, str | int] = {
        'PERFORMANCE_HINT': 'LATENCY',
        'INFERENCE_PRECISION_HINT': {'float32': 'f32', 'bfloat16': 'bf16'}[precision]}
    if threads:
        settings['INFERENCE_NUM_THREADS'] = threads
    graph = core.read_model(to_onnx(network, spec, InferenceSpec(width, height)))
    request = core.compile_model(graph, 'CPU', settings).create_infer_request()

    def run(image: Image) -> Labels:
        return request.infer([image[None]], share_inputs=True, share_outputs=True)[0][0]

    return run


def plain_onnx(network: nn.Module, width: int, height: int) -> bytes:
    """Return the network as ONNX: `image` float32 (1, 3, H, W), normalized -> logits."""
    # No export works in all runtimes with the poolings of the training.
    network = replace_poolings(copy.deepcopy(network).eval())
    return trace_to_onnx(network, torch.zeros(1, 3, height, width), 'image', ['logits'])


def _normalize(image: Image, spec: ModelSpec) -> NDArray[np.float32]:
    """Return float32 (1, 3, H, W)."""
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
    x = (image.astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None])


def _arg_max(logits: NDArray[np.float32]) -> Labels:
    """Return labels (H, W) of logits (1, classes, H, W)."""
    return logits[0].argmax(0).astype(np.uint8)


def with_torch_pooling(network: nn.Module) -> nn.Module:
    """Return a copy that pools with PyTorch's own operators, as other implementations do."""
    return replace_poolings(copy.deepcopy(network).eval(), _TorchPool, _TorchUnpool)


class _TorchPool(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return F.max_pool2d(x, 2, 2, return_indices=True)


class _TorchUnpool(nn.Module):
    def forward(self, x: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        return F.max_unpool2d(x, position, (2, 2), (2, 2))
