"""The engines and peers that are compared, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from enet_ros.benchmark import peers
from enet_ros.config import ENGINES, ModelConfig
from enet_ros.engines.engine import build_engine, installed_engines
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.errors import BadInput

DEVICES = {'torch': ('cpu', 'cuda'), 'openvino': ('cpu',), 'onnxruntime': ('cpu', 'cuda'),
           'tensorrt': ('cuda',)}
PRECISIONS = {'cpu': ('float32', 'bfloat16'), 'cuda': ('float32', 'float16')}
BY_HAND = 'openvino by hand '


@dataclass(frozen=True)
class Candidate:
    """One way to run a network.

    make(network, spec, width, height, threads) returns a function, image uint8 (H, W, 3) RGB ->
    labels uint8 (H, W), or raises BadInput. `engine` says whether it is one of this package;
    `device` is cpu or cuda.
    """

    name: str
    device: str
    engine: bool
    make: Callable


def plain(device='cpu'):
    """Return what the others are compared with."""
    return Candidate(f'plain PyTorch {device}', device, False,
                     partial(peers.plain, device=device))


def others():
    """Return the other runtimes as one would call them without this package."""
    return [Candidate('ONNX Runtime, plain export', 'cpu', False, peers.onnxruntime),
            Candidate('OpenVINO, plain export', 'cpu', False, peers.openvino),
            Candidate('OpenCV DNN, plain export', 'cpu', False, peers.opencv)]


def by_hand(engine):
    """Return OpenVINO without an engine around it, as OpenVINO's engine uses it; else None."""
    runtime, device, precision = engine.name.split()[:3]
    if runtime != 'openvino':
        return None
    return Candidate(f'{BY_HAND}{precision}', device, False,
                     partial(peers.openvino_directly, precision=precision))


def engines(names=(), compiled=False, cache_folder=''):
    """Return each engine of `names`, by default all that are installed, in all its precisions.

    With `compiled` PyTorch's engine on the CPU comes compiled too. What this processor cannot
    compute raises BadInput when it is made or first run. cache_folder is a ModelConfig's.
    """
    found = []
    for name in names or installed_engines():
        for device in DEVICES[name]:
            if device == 'cuda' and not torch.cuda.is_available():
                continue
            for precision in PRECISIONS[device]:
                full = f'{name} {device} {precision}'
                found.append(engine_named(full, cache_folder))
                if compiled and (name, device) == ('torch', 'cpu'):
                    found.append(engine_named(f'{full} compiled', cache_folder))
    return found


def engine_named(name, cache_folder=''):
    """Return the Candidate of an engine's name: 'openvino cpu bfloat16'."""
    return Candidate(name, name.split()[1], True, partial(_run_engine, name, cache_folder))


def engine_settings(name):
    """Return the settings of ModelConfig that an engine's name stands for."""
    runtime, device, precision, *rest = name.split()
    return {'engine': runtime, 'device': device, 'precision': precision,
            'compile': 'compiled' in rest}


def slower_precisions(seconds, limit_s):
    """Return {name: faster name} of engines that take long, and less long in another precision.

    seconds maps engines' names to the seconds of a frame; up to limit_s is not long.
    """
    fastest = {}
    for name in sorted(seconds, key=seconds.get):
        fastest.setdefault(_without_precision(name), name)
    faster = {name: fastest[_without_precision(name)] for name in seconds}
    return {name: faster[name] for name in seconds
            if seconds[name] > limit_s and faster[name] != name}


def absent_engines(network, spec, cache_folder=''):
    """Return {name: reason} of the engines that this machine has not."""
    reasons = {}
    for name in ENGINES:
        if name != 'auto' and name not in installed_engines():
            try:
                engine = build_engine(network, spec, InferenceSpec(64, 64),
                                       ModelConfig(engine=name, cache_folder=cache_folder))
                engine.infer(np.zeros((64, 64, 3), np.uint8), False)
            except BadInput as error:
                reasons[name] = str(error)
    return reasons


def default_engine(network, spec, names=()):
    """Return the name of the engine that `auto` takes on a CPU, or of the first of `names`."""
    config = ModelConfig(engine=names[0]) if names else ModelConfig(device='cpu')
    return build_engine(network, spec, InferenceSpec(64, 64), config).name


def _without_precision(name):
    return tuple(name.split()[:2])  # runtime and device


def _run_engine(name, cache_folder, network, spec, width, height, threads=0):
    config = ModelConfig(**engine_settings(name), threads=threads, cache_folder=cache_folder)
    engine = build_engine(network, spec, InferenceSpec(width, height), config)
    return lambda image: engine.infer(image, False)[0]
