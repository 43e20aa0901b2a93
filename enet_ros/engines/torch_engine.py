"""Inference with PyTorch on a CPU or an NVIDIA GPU."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from enet_ros.config import ModelConfig
from enet_ros.engines.cache import cache_folder
from enet_ros.engines.compiler import CompiledModule, require_compiler
from enet_ros.engines.graph import InferenceGraph
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.torch_device import torch_device
from enet_ros.errors import BadInput
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.loading import OwnNetwork
from enet_ros.models.stored_network import as_module

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}

# uint8 (1, H, W, 3) -> uint8 (1, h, w) each: labels, then confidence if the graph has it
Run = Callable[[torch.Tensor], Sequence[torch.Tensor]]

# A process may record one CUDA graph at a time, and TF32 is a setting of the whole process.
recording = threading.Lock()


class TorchEngine:
    """The inference graph, channels last: eager or compiled on a CPU, a CUDA graph on a GPU.

    Precision 'auto' is float32 on a CPU and float16 on a GPU. float32 disables TF32 on a GPU, as
    the other engines do.

    network: the trained network; it is not changed.
    spec: what the network's checkpoint says of it.
    inference_spec: input and output size.
    config: device, precision, threads, compile and cache_folder are used.
    """

    def __init__(self, network: OwnNetwork, spec: ModelSpec, inference_spec: InferenceSpec,
                 config: ModelConfig) -> None:
        device = torch_device(config.device)
        on_gpu = device.type == 'cuda'
        precision = config.precision
        if precision == 'auto':
            precision = 'float16' if on_gpu else 'float32'
        if precision == 'float16' and not on_gpu:
            raise BadInput('engine torch supports float16 on GPUs only; choose precision bfloat16 '
                           'or float32')
        if config.threads:
            torch.set_num_threads(config.threads)
        if config.compile:
            require_compiler()
        graph = InferenceGraph(as_module(network), spec, inference_spec)
        # PyTorch's annotations lack memory_format.
        graph.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        graph.network.to(DTYPES[precision])

        def prepare(graph: InferenceGraph) -> Run:
            run: Run = graph
            if config.compile:
                run = CompiledModule(graph, cache_folder(config.cache_folder))
            return CudaGraph(run, inference_spec, device) if on_gpu else run

        self._labels_only = prepare(graph.with_confidence(False))
        self._with_confidence = prepare(graph.with_confidence(True))
        self.inference_spec = inference_spec
        self.name = f'torch {device.type} {precision}'
        if config.compile:
            self.name += ' compiled'

    @torch.inference_mode()
    def infer(self, image: NDArray[np.uint8], confidence: bool
              ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        self.inference_spec.check_image(image)
        batch = torch.from_numpy(np.ascontiguousarray(image))[None]  # (1, H, W, 3)
        if confidence:
            labels, probability = self._with_confidence(batch)
            return labels[0].numpy(), probability[0].numpy()
        labels, = self._labels_only(batch)
        return labels[0].numpy(), None


class CudaGraph:
    """An inference graph on a GPU, recorded at its first call and replayed from then on.

    Images are uploaded and predictions downloaded as bytes through pinned memory.
    """

    def __init__(self, run: Run, inference_spec: InferenceSpec, device: torch.device) -> None:
        self._run = run
        shape = 1, inference_spec.height, inference_spec.width, 3
        self._pinned_image = torch.zeros(shape, dtype=torch.uint8, pin_memory=True)
        self._image = torch.zeros(shape, dtype=torch.uint8, device=device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._outputs: Sequence[torch.Tensor] = ()  # on the GPU
        self._pinned_outputs: Sequence[torch.Tensor] = ()

    def __call__(self, image: torch.Tensor) -> Sequence[torch.Tensor]:
        if self._graph is None:
            with recording, without_tf32():
                self._graph = self._record()
        self._pinned_image.copy_(image)
        self._image.copy_(self._pinned_image, non_blocking=True)
        self._graph.replay()
        for output, pinned in zip(self._outputs, self._pinned_outputs):
            pinned.copy_(output, non_blocking=True)
        torch.cuda.current_stream().synchronize()
        return self._pinned_outputs

    def _record(self) -> torch.cuda.CUDAGraph:
        # Libraries choose their kernels in the first calls, which must not be recorded.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._run(self._image)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # While a model is reloaded, another thread runs the old one. In the default mode, that
        # thread's memory allocations would invalidate this recording.
        with torch.cuda.graph(graph, capture_error_mode='thread_local'):
            self._outputs = self._run(self._image)
        self._pinned_outputs = [
            torch.empty(output.shape, dtype=output.dtype, pin_memory=True)
            for output in self._outputs]
        return graph


@contextmanager
def without_tf32() -> Iterator[None]:
    """Disable TF32 in convolutions on a GPU within a block.

    The setting belongs to the whole process, but it only selects kernels: a recorded CUDA graph
    no longer depends on it.
    """
    previous = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = previous
