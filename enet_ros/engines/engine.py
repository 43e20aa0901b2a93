"""The interface of inference engines, and the table of those that exist."""

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from enet_ros.config import ModelConfig
from enet_ros.engines.device import gpu_name
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.native_library import LIBRARY
from enet_ros.errors import BadInput
from enet_ros.models.loading import AnyNetwork, AnySpec
from enet_ros.models.onnx_network import OnnxNetwork
from enet_ros.models.onnx_spec import OnnxSpec
from enet_ros.packages import require_torch, torch_is_installed

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
        times the probability of the label by softmax(logits / temperature), or None if it is not
        requested. The next call may overwrite both arrays. Raise BadInput for an image of another
        size.
        """


@dataclass(frozen=True)
class EngineClass:
    """Where an engine is defined, and what it needs and offers.

    The module is imported only when the engine is built, because its runtime may be missing.

    packages: names for pip.
    precisions: those that are measured on a CPU if precision 'auto' is requested; empty if the
        engine itself has one precision for each device.
    onnx_precisions: the same for ONNX networks of other programs; None if it does not run them.
    """

    module: str
    name: str
    packages: tuple[str, ...]
    precisions: tuple[str, ...] = ()
    onnx_precisions: tuple[str, ...] | None = None

    @property
    def exports_checkpoints(self) -> bool:
        """Return whether it runs checkpoints after an export to ONNX, which needs PyTorch."""
        return self.onnx_precisions is not None

    def packages_for(self, network: AnyNetwork) -> tuple[str, ...]:
        """Return the packages that it needs to run a network."""
        exports = self.exports_checkpoints and not isinstance(network, OnnxNetwork)
        return (*self.packages, 'torch') if exports else self.packages

    def precisions_for(self, network: AnyNetwork) -> tuple[str, ...]:
        """Return the precisions that are measured for a network."""
        return (self.onnx_precisions or () if isinstance(network, OnnxNetwork)
                else self.precisions)


ENGINE_CLASSES = {
    'torch': EngineClass('enet_ros.engines.torch_engine', 'TorchEngine', ('torch',)),
    'native': EngineClass('enet_ros.engines.native_engine', 'NativeEngine', (),
                          ('float32', 'float16')),
    'openvino': EngineClass('enet_ros.engines.openvino_engine', 'OpenVinoEngine',
                            ('openvino', 'onnx'), ('float32', 'bfloat16'),
                            ('float32', 'bfloat16')),
    'onnxruntime': EngineClass('enet_ros.engines.onnxruntime_engine', 'OnnxRuntimeEngine',
                               ('onnxruntime', 'onnx'), onnx_precisions=('float32',)),
    'tensorrt': EngineClass('enet_ros.engines.onnxruntime_engine', 'TensorRtEngine',
                            ('onnxruntime-gpu', 'onnx'), onnx_precisions=()),
}


def build_engine(network: AnyNetwork, spec: AnySpec, inference_spec: InferenceSpec,
                 config: ModelConfig) -> Engine:
    """Build the engine that `config` names, which is not 'auto'.

    Raise BadInput if a package is missing or the engine does not support the network, its size or
    the settings on this machine; no other engine replaces it.
    """
    name = config.engine
    engine_class = ENGINE_CLASSES[name]
    if isinstance(network, OnnxNetwork):
        assert isinstance(spec, OnnxSpec)
        if engine_class.onnx_precisions is None:
            raise BadInput(f'engine {name} does not run ONNX networks, and the model is '
                           f'{network.path}; choose engine auto, openvino or onnxruntime')
        spec.check_size(inference_spec.width, inference_spec.height)
    if missing := _missing(engine_class.packages_for(network)):
        others = ', '.join(engines_for(network))
        purpose = ' to run a checkpoint' if missing[-1] == 'torch' != name else ''
        *first, last = missing
        packages = f'packages {", ".join(first)} and {last}' if first else f'package {last}'
        raise BadInput(f'engine {name} needs the {packages}{purpose}; '
                       f'pip install {" ".join(missing)}'
                       f'{others and ", or choose one of "}{others}')
    if 'torch' in engine_class.packages:
        require_torch(f'engine {name}')
    constructor = getattr(import_module(engine_class.module), engine_class.name)
    engine: Engine = constructor(network, spec, inference_spec, config)
    return engine


def engines_for(network: AnyNetwork) -> list[str]:
    """Return the names of the installed engines that run networks of its kind."""
    return [name for name in installed_engines()
            if not _missing(ENGINE_CLASSES[name].packages_for(network))
            and (not isinstance(network, OnnxNetwork)
                 or ENGINE_CLASSES[name].onnx_precisions is not None)]


def installed_engines() -> list[str]:
    """Return the names of the engines whose packages and libraries this machine has."""
    return [name for name in ENGINE_CLASSES
            if not missing_packages(name)
            and (name != 'native' or LIBRARY.is_file())
            and (name != 'tensorrt' or tensorrt_is_usable())]


def missing_packages(name: str) -> list[str]:
    """Return the packages that an engine needs and that are not installed."""
    return _missing(ENGINE_CLASSES[name].packages)


def _missing(packages: Iterable[str]) -> list[str]:
    return [package for package in packages if not _is_installed(package)]


def _is_installed(package: str) -> bool:
    if package == 'torch':
        return torch_is_installed()
    # A package's build for GPUs is imported by the name of its build for CPUs.
    return find_spec(package.removesuffix('-gpu')) is not None


def has_provider(provider: str) -> bool:
    """Return whether ONNX Runtime has an execution provider for GPUs, and this machine a GPU."""
    if not _is_installed('onnxruntime') or not gpu_name():
        return False
    import onnxruntime
    return f'{provider}ExecutionProvider' in onnxruntime.get_available_providers()


def tensorrt_is_usable() -> bool:
    """Return whether ONNX Runtime can run TensorRT on this machine."""
    # ONNX Runtime lists the provider if it was built with it, even if TensorRT is missing.
    return has_provider('Tensorrt') and any(map(_loads, TENSORRT_LIBRARIES))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
