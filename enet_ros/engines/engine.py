"""What every engine offers, and the one place that chooses among them."""

import ctypes
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

import numpy as np
import torch

from enet_ros.config import ModelConfig
from enet_ros.engines.device import gpu_name
from enet_ros.engines.graph import InferenceSpec
from enet_ros.errors import BadInput

# Module, class and package of each engine; modules are imported when their engine is made. A
# package's build for GPUs is imported by the name of the other.
MAKERS = {
    'torch': ('enet_ros.engines.torch_engine', 'TorchEngine', 'torch'),
    'openvino': ('enet_ros.engines.openvino_engine', 'OpenVinoEngine', 'openvino'),
    'onnxruntime': ('enet_ros.engines.onnxruntime_engine', 'OnnxRuntimeEngine', 'onnxruntime'),
    'tensorrt': ('enet_ros.engines.onnxruntime_engine', 'TensorRtEngine', 'onnxruntime-gpu'),
}

TENSORRT = 'libnvinfer.so.10', 'libnvinfer.so.8'  # the latter on JetPack 5


class Engine(Protocol):
    """A network made ready for one task.

    name says what really runs, for logs and diagnostics: runtime, device and precision. reason
    says why this engine was chosen.
    """

    name: str
    reason: str
    task: InferenceSpec

    def infer(self, image: np.ndarray, confidence: bool) -> tuple:
        """Segment one image.

        image uint8 (H, W, 3) RGB of the task's size -> labels uint8 (h, w), and confidence uint8
        (h, w), 255 times the top class's softmax probability, or None where it was not asked
        for. Both are the caller's until the next call.
        """


def choose_engine(model, spec, task, config=None):
    """Return the engine that a ModelConfig asks for, made for a InferenceSpec.

    Raise BadInput where it is not to be had on this machine: there is no other in its place.
    """
    config = config or ModelConfig()
    name, reason = config.engine, 'it was asked for'
    if name == 'auto':
        name, reason = fastest(config.device)
    module, kind, package = MAKERS[name]
    if not _installed(package):
        raise BadInput(f'engine {name} needs the package {package}; pip install {package}, or '
                       f'choose one of {", ".join(present())}')
    engine = getattr(import_module(module), kind)(model, spec, task, config)
    engine.reason = reason
    return engine


def fastest(device):
    """Return the name of the fastest engine for a device setting, and why it is that."""
    if device != 'cpu':
        if torch.cuda.is_available():
            return 'torch', 'this torch sees a CUDA GPU'
        if 'tensorrt' in present():
            return 'tensorrt', 'ONNX Runtime has TensorRT'
        if _provides('CUDA'):
            return 'onnxruntime', 'ONNX Runtime has CUDA, and this torch sees no CUDA GPU'
        if device == 'cuda':
            return 'torch', 'no other may see a CUDA GPU'
    if device == 'cpu':
        why_cpu = 'device cpu was asked for'
    elif gpu := gpu_name():
        why_cpu = f'no installed runtime can use the GPU {gpu}'
    else:
        why_cpu = 'there is no GPU'
    if find_spec('openvino'):
        return 'openvino', f'{why_cpu}, and openvino is installed'
    return 'torch', f'{why_cpu}, and openvino, which is faster, is not installed'


def present():
    """Return the names of the engines that this machine has."""
    return [name for name, (_, _, package) in MAKERS.items()
            if _installed(package)
            and (name != 'tensorrt' or _provides('Tensorrt') and _tensorrt_loads())]


def _installed(package):
    return find_spec(package.removesuffix('-gpu')) is not None


def _provides(provider):
    """Tell whether ONNX Runtime has a provider for GPUs, and this machine a GPU."""
    if not _installed('onnxruntime') or not gpu_name():
        return False
    import onnxruntime
    return f'{provider}ExecutionProvider' in onnxruntime.get_available_providers()


def _tensorrt_loads():
    """Tell whether TensorRT is there: ONNX Runtime says only whether it was built for it."""
    for library in TENSORRT:
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        return True
    return False


def require_size(image, task):
    """Raise BadInput where an image is not of the size that a task's engine was made for."""
    if image.shape != (task.height, task.width, 3):
        raise BadInput(f'image is of shape {image.shape}, the engine was made for '
                       f'{task.width}x{task.height}; resize the image, or make another engine')
