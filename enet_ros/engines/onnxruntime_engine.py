"""Inference with ONNX Runtime: on a CPU, or on an NVIDIA GPU by CUDA or TensorRT."""

import shutil
import time

from enet_ros.engines.cache import cache_folder
from enet_ros.engines.device import gpu_name
from enet_ros.engines.engine import require_size
from enet_ros.engines.onnx_graph import INPUT, cached_onnx, digest
from enet_ros.errors import BadInput
from enet_ros.logger import logger

PROVIDERS = {'cpu': 'CPUExecutionProvider', 'cuda': 'CUDAExecutionProvider',
             'tensorrt': 'TensorrtExecutionProvider'}
# By default CUDA may round the factors of convolutions to ten bits.
CUDA = PROVIDERS['cuda'], {'use_tf32': '0'}


class OnnxRuntimeEngine:
    """The deployed network in float32, on a CPU or by CUDA.

    Device auto is cuda where there are a GPU and that provider. The graphs with and without
    confidence are loaded when they are first asked for. That raises BadInput where the provider
    does not start: there is no other in its place.
    """

    def __init__(self, model, spec, task, config):
        if config.precision not in ('auto', 'float32'):
            raise BadInput(f'engine onnxruntime computes in float32, and precision '
                           f'{config.precision} was asked for; choose precision auto, or another '
                           'engine')
        device = config.device
        if device == 'auto':
            device = 'cuda' if PROVIDERS['cuda'] in _available() and gpu_name() else 'cpu'
        self._prepare(model, spec, task, config, device, f'onnxruntime {device} float32')
        self.providers = [CUDA] if device == 'cuda' else [(PROVIDERS['cpu'], {})]

    def infer(self, image, confidence):
        require_size(image, self.task)
        confidence = bool(confidence)
        if confidence not in self.sessions:
            self.sessions[confidence] = self._load(confidence)
        answers = self.sessions[confidence].run(None, {INPUT: image[None]})
        labels, *rest = (answer[0] for answer in answers)
        return labels, rest[0] if rest else None

    def _prepare(self, model, spec, task, config, provider, name):
        _require_provider(PROVIDERS[provider])
        self.name, self.task, self.threads = name, task, config.threads
        self.source = model, spec, task
        self.folder = cache_folder(config.cache_folder)
        self.sessions = {}

    def _load(self, confidence):
        return self._start(confidence, self.providers)

    def _start(self, confidence, providers):
        graph = cached_onnx(self.folder, *self.source, confidence)
        return start_session(graph, providers, self.threads)


class TensorRtEngine(OnnxRuntimeEngine):
    """The deployed network compiled by TensorRT for this machine's GPU.

    Precision auto is float16. In float32 TensorRT may round the factors of products to ten bits
    (TF32): ONNX Runtime has no option against it, only the environment's NVIDIA_TF32_OVERRIDE=0.
    Compiling takes minutes; its result is kept in the cache folder.
    """

    def __init__(self, model, spec, task, config):
        if config.device == 'cpu':
            raise BadInput('engine tensorrt runs on NVIDIA GPUs, and device cpu was asked for; '
                           'choose device cuda, or another engine')
        precision = 'float16' if config.precision == 'auto' else config.precision
        if precision not in ('float16', 'float32'):
            raise BadInput(f'engine tensorrt does not compute in {precision}; choose precision '
                           'float16 or float32')
        self.half = precision == 'float16'
        self._prepare(model, spec, task, config, 'tensorrt', f'tensorrt cuda {precision}')

    def _load(self, confidence):
        options, folder = {'trt_fp16_enable': self.half}, self._engine_folder(confidence)
        if folder:
            options.update(trt_engine_cache_enable=True, trt_engine_cache_path=str(folder),
                           trt_timing_cache_enable=True, trt_timing_cache_path=str(folder))
        # Operators that TensorRT leaves out, such as those on bytes, stay on the GPU.
        providers = [(PROVIDERS['tensorrt'], options), CUDA]
        if folder and any(folder.glob('*.engine')):
            try:
                return self._start(confidence, providers)
            except BadInput as error:
                logger.warning('what TensorRT kept in %s does not load: %s', folder, error)
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(exist_ok=True)
        logger.info('TensorRT compiles the network for %dx%d on this GPU; that may take minutes',
                 self.task.width, self.task.height)
        start = time.perf_counter()
        session = self._start(confidence, providers)
        logger.info('TensorRT compiled the network in %.0f s', time.perf_counter() - start)
        return session

    def _engine_folder(self, confidence):
        """Return the folder of what TensorRT builds for one graph; None if nothing is kept."""
        if self.folder is None:
            return None
        import onnxruntime
        name = digest(*self.source, confidence, onnxruntime.__version__, gpu_name(), self.half)
        return cache_folder(self.folder / 'tensorrt' / name)


def start_session(graph, providers, threads=0):
    """Return an ONNX Runtime session of a graph's bytes that runs on the first of `providers`.

    providers are pairs of a name and its options. Raise BadInput where the first does not start.
    """
    import onnxruntime
    wanted = providers[0][0]
    if wanted != PROVIDERS['cpu'] and hasattr(onnxruntime, 'preload_dlls'):
        onnxruntime.preload_dlls()  # CUDA's libraries, where pip installed them
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # it warns of operators that are placed on a CPU on purpose
    try:
        session = onnxruntime.InferenceSession(graph, options, providers, enable_fallback=0)
    except Exception as error:  # each provider has its own
        raise BadInput(f'{wanted} does not start: {" ".join(str(error).split())}; install the '
                       f'CUDA, cuDNN and TensorRT that onnxruntime {onnxruntime.__version__} '
                       'needs, or choose device cpu or engine torch') from error
    if session.get_providers()[0] != wanted:
        raise BadInput(f'{wanted} does not start, for the reason that ONNX Runtime prints; '
                       'install the driver, CUDA, cuDNN and TensorRT that onnxruntime '
                       f'{onnxruntime.__version__} needs, or choose device cpu or engine torch')
    session.disable_fallback()
    return session


def _require_provider(wanted):
    if wanted not in _available():
        raise BadInput(f'this ONNX Runtime has no {wanted}; install onnxruntime-gpu in place of '
                       'onnxruntime, on a Jetson the build for its JetPack, or choose '
                       'device cpu or engine torch')


def _available():
    try:
        import onnxruntime
    except ImportError as error:
        raise BadInput(f'the package onnxruntime cannot be loaded: {error}; install it again, or '
                       'choose engine torch') from error
    return onnxruntime.get_available_providers()
