"""The interface of inference engines, and the choice among them."""

import ctypes
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from enet_ros.config import ModelConfig
from enet_ros.engines.device import gpu_name
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.native_library import LIBRARY
from enet_ros.errors import BadInput
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.network import Network

TENSORRT_LIBRARIES = 'libnvinfer.so.10', 'libnvinfer.so.8'  # the latter on JetPack 5


class Engine(Protocol):
    """A network that is ready to segment images of one size.

    Constructors take (network, spec, inference_spec, config), leave the network unchanged, and
    raise BadInput for settings that the runtime or this machine does not support.

    name: runtime, device and precision in use, for logs and diagnostics: 'openvino cpu float32'.
    inference_spec: the sizes that the engine was built for.
    """

    name: str
    inference_spec: InferenceSpec

    def infer(self, image: NDArray[np.uint8], confidence: bool
              ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """Segment one RGB image, uint8 (H, W, 3) of the engine's input size.

        Return labels, uint8 (h, w) class ids, and the confidence, uint8 (h, w), which is 255
        times the softmax probability of the label, or None if it is not requested. The next call
        may overwrite both arrays. Raise BadInput for an image of another size.
        """


@dataclass(frozen=True)
class EngineChoice:
    """The engine for a ModelConfig, and why it was chosen.

    name: key of ENGINE_CLASSES.
    reason: short text for logs and diagnostics.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class EngineClass:
    """Where an engine is defined, and the packages that it needs.

    The module is imported only when the engine is built, because its runtime may be missing.
    """

    module: str
    name: str
    packages: tuple[str, ...]


ENGINE_CLASSES = {
    'torch': EngineClass('enet_ros.engines.torch_engine', 'TorchEngine', ('torch',)),
    'native': EngineClass('enet_ros.engines.native_engine', 'NativeEngine', ()),
    'openvino': EngineClass('enet_ros.engines.openvino_engine', 'OpenVinoEngine',
                            ('openvino', 'onnx')),
    'onnxruntime': EngineClass('enet_ros.engines.onnxruntime_engine', 'OnnxRuntimeEngine',
                               ('onnxruntime', 'onnx')),
    'tensorrt': EngineClass('enet_ros.engines.onnxruntime_engine', 'TensorRtEngine',
                            ('onnxruntime-gpu', 'onnx')),
}


def build_engine(network: Network, spec: ModelSpec, inference_spec: InferenceSpec,
                 config: ModelConfig) -> Engine:
    """Build the engine that `config` selects.

    Raise BadInput if a package is missing or the engine does not support the settings on this
    machine; no other engine replaces it.
    """
    name = choose_engine(config).name
    engine_class = ENGINE_CLASSES[name]
    if missing := [package for package in engine_class.packages if not _is_installed(package)]:
        raise BadInput(f'engine {name} needs the package {" and ".join(missing)}; '
                       f'pip install {" ".join(missing)}, or choose one of '
                       f'{", ".join(installed_engines())}')
    constructor = getattr(import_module(engine_class.module), engine_class.name)
    engine: Engine = constructor(network, spec, inference_spec, config)
    return engine


def choose_engine(config: ModelConfig) -> EngineChoice:
    """Return the engine that `config` names, or the fastest one for its device if it is 'auto'."""
    if config.engine != 'auto':
        return EngineChoice(config.engine, 'requested')
    if config.device != 'cpu':
        if torch.cuda.is_available():
            return EngineChoice('torch', 'this torch sees a CUDA GPU')
        if _tensorrt_is_usable():
            return EngineChoice('tensorrt', 'ONNX Runtime has TensorRT')
        if _has_provider('CUDA'):
            return EngineChoice('onnxruntime',
                                'ONNX Runtime has CUDA, and this torch sees no CUDA GPU')
        if config.device == 'cuda':
            return EngineChoice('torch', 'no other installed runtime has CUDA')
    if config.device == 'cpu':
        reason = 'device cpu is requested'
    elif gpu := gpu_name():
        reason = f'no installed runtime can use the GPU {gpu}'
    else:
        reason = 'there is no GPU'
    if _is_installed('openvino'):
        return EngineChoice('openvino', f'{reason}, and openvino is installed')
    return EngineChoice('torch', f'{reason}, and openvino, which is faster, is not installed')


def installed_engines() -> list[str]:
    """Return the names of the engines whose packages and libraries this machine has."""
    return [name for name, engine_class in ENGINE_CLASSES.items()
            if all(map(_is_installed, engine_class.packages))
            and (name != 'native' or LIBRARY.is_file())
            and (name != 'tensorrt' or _tensorrt_is_usable())]


def _is_installed(package: str) -> bool:
    # A package's build for GPUs is imported by the name of its build for CPUs.
    return find_spec(package.removesuffix('-gpu')) is not None


def _has_provider(provider: str) -> bool:
    """Return whether ONNX Runtime has an execution provider for GPUs, and this machine a GPU."""
    if not _is_installed('onnxruntime') or not gpu_name():
        return False
    import onnxruntime
    return f'{provider}ExecutionProvider' in onnxruntime.get_available_providers()


def _tensorrt_is_usable() -> bool:
    # ONNX Runtime lists the provider if it was built with it, even if TensorRT is missing.
    return _has_provider('Tensorrt') and any(map(_loads, TENSORRT_LIBRARIES))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
