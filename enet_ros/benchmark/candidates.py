"""The engines and baselines that are compared, by name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

import numpy as np
import torch

from enet_ros.benchmark import baselines
from enet_ros.benchmark.measure import Run
from enet_ros.config import ENGINES, ModelConfig
from enet_ros.engines.engine import ENGINE_CLASSES, build_engine, installed_engines
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.selection import select_engine
from enet_ros.errors import BadInput
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.network import Network

DEVICES = {'torch': ('cpu', 'cuda'), 'native': ('cpu',), 'openvino': ('cpu',),
           'onnxruntime': ('cpu', 'cuda'), 'tensorrt': ('cuda',)}
PRECISIONS = {'cpu': ('float32', 'bfloat16'), 'cuda': ('float32', 'float16')}
SMALL = InferenceSpec(64, 64)  # for engines that only have to start


@dataclass(frozen=True)
class Candidate:
    """One way to run a network.

    name: in reports; an engine's is its runtime, device and precision, 'openvino cpu bfloat16'.
    device: 'cpu' or 'cuda'.
    is_engine: whether it is an engine of this package.
    load: takes (network, spec, width, height, threads) and returns a function, image uint8
        (H, W, 3) RGB -> labels uint8 (H, W). It raises BadInput if this machine does not support
        the candidate.
    """

    name: str
    device: str
    is_engine: bool
    load: Callable[[Network, ModelSpec, int, int, int], Run]


class EngineSettings(TypedDict):
    """The fields of ModelConfig that an engine's name stands for."""

    engine: str
    device: str
    precision: str
    compile: bool


def plain_pytorch(device: str = 'cpu') -> Candidate:
    """Return the baseline of all speedups: plain PyTorch on a device."""
    return Candidate(f'plain PyTorch {device}', device, False,
                     partial(baselines.plain_pytorch, device=device))


def other_baselines() -> list[Candidate]:
    """Return the other runtimes, called as one would without this package."""
    return [Candidate('ONNX Runtime, plain export', 'cpu', False, baselines.plain_onnxruntime),
            Candidate('OpenVINO, plain export', 'cpu', False, baselines.plain_openvino),
            Candidate('OpenCV DNN, plain export', 'cpu', False, baselines.plain_opencv)]


def direct_openvino(precision: str) -> Candidate:
    """Return direct calls of OpenVINO with the graph of its engine."""
    return Candidate(f'direct OpenVINO {precision}', 'cpu', False,
                     partial(baselines.direct_openvino, precision=precision))


def engine_candidates(names: Sequence[str] = (), compiled: bool = False, cache_folder: str = ''
                      ) -> list[Candidate]:
    """Return engines in all their precisions.

    Loading or running one raises BadInput if this processor does not support its precision.

    names: engines; empty means all that are installed.
    compiled: add the compiled variants of PyTorch on a CPU.
    cache_folder: as in ModelConfig.
    """
    found = []
    for name in names or installed_engines():
        for device in DEVICES[name]:
            if device == 'cuda' and not torch.cuda.is_available():
                continue
            for precision in ENGINE_CLASSES[name].precisions or PRECISIONS[device]:
                full_name = f'{name} {device} {precision}'
                found.append(engine_candidate(full_name, cache_folder))
                if compiled and (name, device) == ('torch', 'cpu'):
                    found.append(engine_candidate(f'{full_name} compiled', cache_folder))
    return found


def engine_candidate(name: str, cache_folder: str = '') -> Candidate:
    """Return the Candidate of an engine's name."""
    return Candidate(name, name.split()[1], True, partial(_load_engine, name, cache_folder))


def engine_settings(name: str) -> EngineSettings:
    """Return the settings that an engine's name stands for."""
    runtime, device, precision, *rest = name.split()
    return {'engine': runtime, 'device': device, 'precision': precision,
            'compile': 'compiled' in rest}


def slow_precisions(seconds: Mapping[str, float], limit_s: float) -> dict[str, str]:
    """Return {name: name of a faster precision} of the engines that are slower than a limit.

    seconds: seconds of a frame by the engine's name.
    limit_s: the limit, seconds of a frame.
    """
    fastest: dict[tuple[str, ...], str] = {}
    for name in sorted(seconds, key=lambda name: seconds[name]):
        fastest.setdefault(_runtime_and_device(name), name)
    return {name: fastest[_runtime_and_device(name)] for name in seconds
            if seconds[name] > limit_s and fastest[_runtime_and_device(name)] != name}


def unavailable_engines(network: Network, spec: ModelSpec, cache_folder: str = ''
                        ) -> dict[str, str]:
    """Return the reasons, by name, why engines do not run on this machine."""
    reasons = {}
    installed = installed_engines()
    for name in ENGINES:
        if name != 'auto' and name not in installed:
            try:
                engine = build_engine(network, spec, SMALL,
                                      ModelConfig(engine=name, cache_folder=cache_folder))
                engine.infer(np.zeros((SMALL.height, SMALL.width, 3), np.uint8), False)
            except BadInput as error:
                reasons[name] = str(error)
    return reasons


def default_engine(network: Network, spec: ModelSpec, names: Iterable[str] = (),
                   cache_folder: str = '') -> str:
    """Return the full name of the first engine of `names`, or of the one selected on a CPU."""
    config = ModelConfig(device='cpu', cache_folder=cache_folder)
    if name := next(iter(names), None):
        config = ModelConfig(engine=name, cache_folder=cache_folder)
    size = InferenceSpec(spec.width, spec.height)
    return select_engine(network, spec, size, config).engine.name


def _runtime_and_device(name: str) -> tuple[str, ...]:
    return tuple(name.split()[:2])


def _load_engine(name: str, cache_folder: str, network: Network, spec: ModelSpec, width: int,
                 height: int, threads: int = 0) -> Run:
    config = ModelConfig(**engine_settings(name), threads=threads, cache_folder=cache_folder)
    engine = build_engine(network, spec, InferenceSpec(width, height), config)
    return lambda image: engine.infer(image, False)[0]
