"""Inference with ONNX Runtime: on a CPU, or on an NVIDIA GPU with CUDA or TensorRT."""

import shutil
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enet_ros.config import ModelConfig
from enet_ros.engines.cache import cache_folder
from enet_ros.engines.device import gpu_name
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_graph import cached_onnx, graph_digest, read_outputs
from enet_ros.errors import BadInput, one_line
from enet_ros.logger import logger
from enet_ros.models.loading import AnyNetwork, AnySpec, has_confidence

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Provider = tuple[str, dict[str, str | bool]]  # name and options

PROVIDERS = {'cpu': 'CPUExecutionProvider', 'cuda': 'CUDAExecutionProvider',
             'tensorrt': 'TensorrtExecutionProvider'}
CPU: Provider = PROVIDERS['cpu'], {}
CUDA: Provider = PROVIDERS['cuda'], {'use_tf32': '0'}  # TF32 is on by default


class _SessionEngine(ABC):
    """What both engines of ONNX Runtime share: a session each without and with confidence.

    A session starts when it is first used. That raises BadInput if the execution provider does
    not start; no other provider replaces it.
    """

    def __init__(self, name: str, provider: str, network: AnyNetwork, spec: AnySpec,
                 inference_spec: InferenceSpec, config: ModelConfig) -> None:
        _require_provider(provider)
        self.name = name
        self.inference_spec = inference_spec
        self._network, self._spec, self._threads = network, spec, config.threads
        self._cache_folder = cache_folder(config.cache_folder)
        self._sessions: dict[bool, InferenceSession] = {}

    def infer(self, image: NDArray[np.uint8], confidence: bool
              ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        self.inference_spec.check_image(image)
        key = bool(confidence) and has_confidence(self._spec)
        if key not in self._sessions:
            self._sessions[key] = self._load(key)
        session = self._sessions[key]
        try:
            outputs = session.run(None, {session.get_inputs()[0].name: image[None]})
        except Exception as error:  # of an ONNX network at a size that it does not take
            raise BadInput(f'{self.name} cannot run the network: {one_line(error)}; choose '
                           'another network size or engine') from error
        return read_outputs(self._network, self._spec, outputs, confidence)

    @abstractmethod
    def _load(self, confidence: bool) -> 'InferenceSession':
        """Start the session with or without confidence."""

    def _start(self, confidence: bool, providers: list[Provider]) -> 'InferenceSession':
        graph = cached_onnx(self._cache_folder, self._network, self._spec, self.inference_spec,
                            confidence)
        return start_session(graph, providers, self._threads)


class OnnxRuntimeEngine(_SessionEngine):
    """The inference graph in float32, on a CPU or with CUDA.

    Device 'auto' is cuda if this machine has a GPU and ONNX Runtime the CUDA provider.

    network: the network; it is not changed.
    spec: what is known of it.
    inference_spec: input and output size.
    config: device, precision, threads and cache_folder are used.
    """

    def __init__(self, network: AnyNetwork, spec: AnySpec, inference_spec: InferenceSpec,
                 config: ModelConfig) -> None:
        if config.precision not in ('auto', 'float32'):
            raise BadInput('engine onnxruntime supports float32 only, and precision '
                           f'{config.precision} is requested; choose precision auto, or another '
                           'engine')
        device = config.device
        if device == 'auto':
            has_cuda = PROVIDERS['cuda'] in _available_providers() and gpu_name()
            device = 'cuda' if has_cuda else 'cpu'
        super().__init__(f'onnxruntime {device} float32', PROVIDERS[device], network, spec,
                         inference_spec, config)
        self._providers = [CUDA if device == 'cuda' else CPU]

    def _load(self, confidence: bool) -> 'InferenceSession':
        return self._start(confidence, self._providers)


class TensorRtEngine(_SessionEngine):
    """The inference graph compiled by TensorRT for this machine's GPU.

    Precision 'auto' is float16. In float32 TensorRT may use TF32; ONNX Runtime has no option to
    disable it, only the environment variable NVIDIA_TF32_OVERRIDE=0. Compilation takes minutes;
    the result is stored in the cache folder. Arguments are those of OnnxRuntimeEngine.
    """

    def __init__(self, network: AnyNetwork, spec: AnySpec, inference_spec: InferenceSpec,
                 config: ModelConfig) -> None:
        if config.device == 'cpu':
            raise BadInput('engine tensorrt runs on NVIDIA GPUs, and device cpu is requested; '
                           'choose device cuda, or another engine')
        precision = 'float16' if config.precision == 'auto' else config.precision
        if precision not in ('float16', 'float32'):
            raise BadInput(f'engine tensorrt does not support {precision}; choose precision '
                           'float16 or float32')
        super().__init__(f'tensorrt cuda {precision}', PROVIDERS['tensorrt'], network, spec,
                         inference_spec, config)
        self._float16 = precision == 'float16'

    def _load(self, confidence: bool) -> 'InferenceSession':
        options: dict[str, str | bool] = {'trt_fp16_enable': self._float16}
        folder = self._engine_folder(confidence)
        if folder:
            options.update(trt_engine_cache_enable=True, trt_engine_cache_path=str(folder),
                           trt_timing_cache_enable=True, trt_timing_cache_path=str(folder))
        # Operators that TensorRT does not support, such as those on bytes, stay on the GPU.
        providers: list[Provider] = [(PROVIDERS['tensorrt'], options), CUDA]
        if folder and any(folder.glob('*.engine')):
            try:
                return self._start(confidence, providers)
            except BadInput as error:
                logger.warning('the TensorRT engine in %s does not load: %s', folder, error)
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(exist_ok=True)
        logger.info('TensorRT is compiling the network for %dx%d on this GPU; this may take '
                    'minutes', self.inference_spec.width, self.inference_spec.height)
        start = time.perf_counter()
        session = self._start(confidence, providers)
        logger.info('TensorRT compiled the network in %.0f s', time.perf_counter() - start)
        return session

    def _engine_folder(self, confidence: bool) -> Path | None:
        """Return the folder for TensorRT's engine of one graph, or None without a cache folder."""
        if self._cache_folder is None:
            return None
        import onnxruntime
        name = graph_digest(self._network, self._spec, self.inference_spec, confidence,
                            onnxruntime.__version__, gpu_name(), self._float16)
        return cache_folder(self._cache_folder / 'tensorrt' / name)


def start_session(graph: bytes, providers: list[Provider], threads: int = 0
                  ) -> 'InferenceSession':
    """Start an ONNX Runtime session that runs on the first of `providers`.

    Raise BadInput if that provider does not start.

    graph: content of an ONNX file.
    providers: execution providers; the later ones run what the first does not support.
    threads: number of threads on a CPU; 0 means one per core.
    """
    import onnxruntime
    provider = providers[0][0]
    if provider != PROVIDERS['cpu'] and hasattr(onnxruntime, 'preload_dlls'):
        onnxruntime.preload_dlls()  # CUDA's libraries as pip installs them
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # no warnings of operators that are on a CPU on purpose
    remedy = ('install the driver, CUDA, cuDNN and TensorRT that onnxruntime '
              f'{onnxruntime.__version__} needs, or choose device cpu or engine torch')
    try:
        session = onnxruntime.InferenceSession(graph, options, providers, enable_fallback=0)
    except Exception as error:  # each provider has its own exceptions
        if provider == PROVIDERS['cpu']:
            raise BadInput(f'onnxruntime {onnxruntime.__version__} cannot load the network: '
                           f'{one_line(error)}; choose another engine, or export the network '
                           'again') from error
        raise BadInput(f'{provider} does not start: {one_line(error)}; {remedy}') from error
    if session.get_providers()[0] != provider:
        raise BadInput(f'{provider} does not start, for the reason that ONNX Runtime prints; '
                       f'{remedy}')
    session.disable_fallback()
    return session


def _require_provider(provider: str) -> None:
    if provider not in _available_providers():
        raise BadInput(f'this ONNX Runtime has no {provider}; install onnxruntime-gpu in place '
                       'of onnxruntime (on a Jetson, the build for its JetPack), or choose device '
                       'cpu or engine torch')


def _available_providers() -> list[str]:
    try:
        import onnxruntime
    except ImportError as error:
        raise BadInput(f'the package onnxruntime cannot be imported: {error}; reinstall it, or '
                       'choose engine torch') from error
    return onnxruntime.get_available_providers()
