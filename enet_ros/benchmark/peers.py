"""What one would run without this package: functions, image uint8 (H, W, 3) RGB -> labels."""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from enet_ros.engines.graph import replace_poolings
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_graph import to_onnx, trace_to_onnx
from enet_ros.errors import BadInput


def plain(network, spec, width, height, threads=0, device='cpu'):
    """Return the network as it was trained, called as ROS nodes commonly call theirs.

    Eager PyTorch in float32, channels first, nothing folded; normalised by NumPy; the arg max
    is NumPy's on a CPU, which is faster there than PyTorch's, and the GPU's on a GPU.
    """
    network = with_torch_pooling(network).to(device)
    if threads:
        torch.set_num_threads(threads)

    @torch.no_grad()
    def run(image):
        logits = network(torch.from_numpy(_normalised(image, spec)).to(device))[0]
        if device == 'cpu':
            return logits.numpy().argmax(0).astype(np.uint8)
        return logits.argmax(0).cpu().numpy().astype(np.uint8)

    return run


def onnxruntime(network, spec, width, height, threads=0):
    """Return ONNX Runtime at its defaults on a plain export, NumPy around it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(plain_onnx(network, width, height), options,
                                           providers=['CPUExecutionProvider'])
    return lambda image: _top(session.run(None, {'image': _normalised(image, spec)})[0])


def openvino(network, spec, width, height, threads=0):
    """Return OpenVINO at its defaults on a plain export, NumPy around it.

    By default OpenVINO computes in bfloat16 where the processor has instructions for it.
    """
    import openvino

    core = openvino.Core()
    settings = {'INFERENCE_NUM_THREADS': threads} if threads else {}
    compiled = core.compile_model(core.read_model(plain_onnx(network, width, height)), 'CPU',
                                  settings)
    return lambda image: _top(compiled(_normalised(image, spec))[0])


def opencv(network, spec, width, height, threads=0):
    """Return OpenCV's DNN module on a plain export, NumPy around it."""
    import cv2

    if threads:
        cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromONNX(np.frombuffer(plain_onnx(network, width, height), np.uint8))

    def run(image):
        net.setInput(_normalised(image, spec))
        return _top(net.forward())

    return run


def openvino_directly(network, spec, width, height, threads=0, precision='float32'):
    """Return OpenVINO without our engine around it: the engine's graph and precision by hand."""
    import openvino

    core = openvino.Core()
    if precision == 'bfloat16' and 'BF16' not in core.get_property(
            'CPU', 'OPTIMIZATION_CAPABILITIES'):
        raise BadInput('this processor has no instructions for bfloat16; take float32')
    settings = {'PERFORMANCE_HINT': 'LATENCY',
                'INFERENCE_PRECISION_HINT': {'float32': 'f32', 'bfloat16': 'bf16'}[precision]}
    if threads:
        settings['INFERENCE_NUM_THREADS'] = threads
    graph = core.read_model(to_onnx(network, spec, InferenceSpec(width, height)))
    request = core.compile_model(graph, 'CPU', settings).create_infer_request()

    def run(image):
        return request.infer([image[None]], share_inputs=True, share_outputs=True)[0][0]

    return run


def plain_onnx(network, width, height):
    """Return the network as ONNX: `image` float32 (1, 3, H, W), normalised -> logits."""
    # There is no export that all take with the poolings of the training.
    network = replace_poolings(copy.deepcopy(network).eval())
    return trace_to_onnx(network, torch.zeros(1, 3, height, width), 'image', ['logits'])


def _normalised(image, spec):
    """Return float32 (1, 3, H, W) from an image's bytes."""
    x = image.astype(np.float32) / 255
    x = (x - np.float32(spec.mean)) / np.float32(spec.std)
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None])


def _top(logits):
    return logits[0].argmax(0).astype(np.uint8)


def with_torch_pooling(network):
    """Return a copy that pools with PyTorch's own operators, as other implementations do."""
    return replace_poolings(copy.deepcopy(network).eval(), _TorchPool, _TorchUnpool)


class _TorchPool(nn.Module):
    def forward(self, x):
        return F.max_pool2d(x, 2, 2, return_indices=True)


class _TorchUnpool(nn.Module):
    def forward(self, x, position):
        return F.max_unpool2d(x, position, 2, 2)
