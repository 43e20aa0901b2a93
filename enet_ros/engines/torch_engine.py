"""Inference with PyTorch on a CPU or an NVIDIA GPU."""

import os
import shutil
import threading
from contextlib import contextmanager

import numpy as np
import torch

from enet_ros.config import DEVICES
from enet_ros.engines.cache import cache_folder
from enet_ros.engines.engine import require_size
from enet_ros.engines.graph import InferenceGraph
from enet_ros.errors import BadInput

# A process may record one graph at a time, and what without_tf32 sets is the process's too.
recording = threading.Lock()


class TorchEngine:
    """The deployed network, channels last: eager or compiled on a CPU, a CUDA graph on a GPU.

    Precision auto is float32 on a CPU and float16 on a GPU. On a GPU, float32 is what it is with
    the other engines: factors are not rounded to TF32, as PyTorch's default would have it.
    """

    def __init__(self, model, spec, task, config):
        self.task = task
        self.device = torch_device(config.device)
        on_gpu = self.device.type == 'cuda'
        precision = config.precision
        if precision == 'auto':
            precision = 'float16' if on_gpu else 'float32'
        if precision == 'float16' and not on_gpu:
            raise BadInput('engine torch computes float16 on GPUs only; choose precision bfloat16 '
                           'or float32')
        if config.threads:
            torch.set_num_threads(config.threads)
        deployment = InferenceGraph(model, spec, task).to(
            self.device, memory_format=torch.channels_last)
        deployment.network.to(getattr(torch, precision))
        self.deployments = {confidence: deployment.answering(confidence)
                            for confidence in (False, True)}
        if config.compile:
            require_compiler()
            self.deployments = {confidence: _compiled(each, config.cache_folder)
                                for confidence, each in self.deployments.items()}
        if on_gpu:
            self.deployments = {confidence: CudaGraph(each, task, self.device)
                                for confidence, each in self.deployments.items()}
        self.name = ' '.join(['torch', self.device.type, precision,
                              *['compiled'] * config.compile])

    @torch.inference_mode()
    def infer(self, image, confidence):
        require_size(image, self.task)
        image = torch.from_numpy(np.ascontiguousarray(image))[None]
        answers = self.deployments[bool(confidence)](image)
        labels, *rest = (answer[0].numpy() for answer in answers)
        return labels, rest[0] if rest else None


class CudaGraph:
    """A deployment on a GPU, recorded at its first call and replayed from then on.

    Images go up, and labels come down, as bytes through pinned memory.
    """

    def __init__(self, deployment, task, device):
        self.deployment = deployment
        shape = 1, task.height, task.width, 3
        self.pinned = torch.zeros(shape, dtype=torch.uint8, pin_memory=True)
        self.image = torch.zeros(shape, dtype=torch.uint8, device=device)
        self.graph = None

    def __call__(self, image):
        if self.graph is None:
            with recording, without_tf32():
                self._record()
        self.pinned.copy_(image)
        self.image.copy_(self.pinned, non_blocking=True)
        self.graph.replay()
        for there, here in zip(self.answers, self.downloads):
            here.copy_(there, non_blocking=True)
        torch.cuda.current_stream().synchronize()
        return self.downloads

    def _record(self):
        # Libraries choose their kernels in the first calls, which must not be recorded.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.deployment(self.image)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # While a model is reloaded, another thread runs the old one: by default, memory that it
        # asks for would break this recording.
        with torch.cuda.graph(graph, capture_error_mode='thread_local'):
            self.answers = self.deployment(self.image)
        self.downloads = [torch.empty(answer.shape, dtype=answer.dtype, pin_memory=True)
                          for answer in self.answers]
        self.graph = graph


@contextmanager
def without_tf32():
    """Let convolutions in float32 keep all digits of their factors on a GPU, within a block.

    The setting is the whole process's, but it only chooses kernels: once a CUDA graph is
    recorded, its replay no longer depends on it.
    """
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _compiled(deployment, folder):
    if folder := cache_folder(folder):
        os.environ['TORCHINDUCTOR_CACHE_DIR'] = str(folder / 'inductor')
    # Given as an option of torch.compile, this would leave convolutions unfused.
    torch._inductor.config.freezing = True
    return torch.compile(deployment, dynamic=False)


def require_compiler():
    """Raise BadInput where the C++ compiler that torch.compile calls is missing."""
    compiler = os.environ.get('CXX', 'g++')
    if not shutil.which(compiler):
        raise BadInput(f'compiling needs a C++ compiler, and {compiler!r} is not found; install '
                       'g++, name another with CXX, or do not compile (--no-compile, in ROS '
                       'model.compile false)')


def torch_device(name):
    """Return the device that a setting means; raise BadInput where it cannot be had."""
    if name not in DEVICES:
        raise BadInput(f'unknown device {name!r}; choose one of {", ".join(DEVICES)}')
    if name == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    if name == 'cuda' and not torch.cuda.is_available():
        raise BadInput('device cuda was asked for, but this torch sees no CUDA GPU; install a '
                       'CUDA build of torch and the driver, or choose device cpu')
    return torch.device(name)
