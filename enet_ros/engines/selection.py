"""The engine for a ModelConfig: the one that it names, or the fastest one of this machine."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enet_ros.config import ModelConfig
from enet_ros.engines.cache import cache_folder
from enet_ros.engines.device import gpu_name, torch_sees_gpu
from enet_ros.engines.engine import (
    ENGINE_CLASSES,
    Engine,
    build_engine,
    engines_for,
    has_provider,
    installed_engines,
    missing_packages,
    tensorrt_is_usable,
)
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.native_library import precisions as native_precisions
from enet_ros.engines.native_weights import supported_layers
from enet_ros.engines.onnx_graph import network_digest
from enet_ros.engines.street_image import street_image
from enet_ros.engines.tuning import SLOW_FACTOR, TIMED_RUNS, Setting, Tuning, measure
from enet_ros.engines.tuning_file import environment, load_tuning, store_tuning
from enet_ros.errors import BadInput
from enet_ros.logger import logger
from enet_ros.models.loading import AnyNetwork, AnySpec
from enet_ros.models.onnx_network import OnnxNetwork
from enet_ros.models.stored_network import as_stored
from enet_ros.packages import torch_is_installed

TUNE_RUNS = 20  # timed runs of each engine if the user asks for the measurement
NATIVE_ONLY = 'without the package torch, engine native is the only one that runs checkpoints'
Clock = Callable[[], float]  # returns seconds


@dataclass(frozen=True)
class SelectedEngine:
    """An engine that is ready, and why it was selected.

    config: the requested one with the engine, and the precision if it was measured, in place of
        'auto'. It builds the same engine for other sizes without another measurement.
    reason: short text for logs and diagnostics.
    """

    engine: Engine
    config: ModelConfig
    reason: str


def select_engine(network: AnyNetwork, spec: AnySpec, inference_spec: InferenceSpec,
                  config: ModelConfig, clock: Clock = time.perf_counter) -> SelectedEngine:
    """Build the engine that `config` names, or the fastest one for its device if it is 'auto'.

    On a CPU, the engines and precisions that `config` leaves open are measured once for each
    network, size and machine; the figures are stored in the cache folder. Raise BadInput if the
    engine that `config` names does not run with its settings on this machine.
    """
    name, reason = _engine_for_device(config, network)
    config = replace(config, engine=name)
    if name == 'auto' and _needs_native(network):
        _require_native(network)
        reason += f'; {NATIVE_ONLY}'
    if open_settings(config, network):
        selected = _select_measured(network, spec, inference_spec, config, reason, clock)
    else:
        config = replace(config, engine=_last_resort(network) if name == 'auto' else name)
        engine = build_engine(network, spec, inference_spec, config)
        selected = SelectedEngine(engine, config, reason)
    if name == 'auto':
        _log_faster_engines(selected.config.engine, network)
    return selected


def _select_measured(network: AnyNetwork, spec: AnySpec, inference_spec: InferenceSpec,
                     config: ModelConfig, reason: str, clock: Clock) -> SelectedEngine:
    """Return the engine with the best figures, stored or new ones."""
    file = _file(network, spec, inference_spec, config)
    engines: dict[Setting, Engine] = {}
    tuning = load_tuning(file, environment(open_settings(config, network))) if file else None
    if tuning is None:
        tuning, engines = tune(network, spec, inference_spec, config, clock)
        for setting, failure in tuning.failures.items():
            logger.info('engine %s does not run: %s', setting, failure)
    if config.precision == 'auto' and tuning.chosen and not tuning.chosen.is_accurate:
        logger.warning('no engine gives the labels of float32; %s', tuning.reason())
    chosen = _chosen_config(config, tuning, network)
    engine = (engines.get(Setting(chosen.engine, chosen.precision))
              or build_engine(network, spec, inference_spec, chosen))
    return SelectedEngine(engine, chosen, f'{reason}; {tuning.reason()}')


def tune(network: AnyNetwork, spec: AnySpec, inference_spec: InferenceSpec, config: ModelConfig,
         clock: Clock = time.perf_counter, runs: int = TIMED_RUNS,
         slow_factor: float = SLOW_FACTOR) -> tuple[Tuning, dict[Setting, Engine]]:
    """Measure the settings that `config` leaves open, store the figures, and return the engines.

    Arguments are those of `select_engine` and `measure`. Raise BadInput if nothing is open.
    """
    settings = open_settings(config, network)
    if not settings and _needs_native(network):
        raise BadInput(f'{NATIVE_ONLY}, so there is nothing to measure; pip install torch')
    if not settings:
        raise BadInput(f'engine {config.engine} and precision {config.precision} leave nothing to '
                       'measure; choose engine and precision auto, and install openvino and onnx')
    image = street_image(inference_spec.width, inference_spec.height)
    reference = ['native'] if config.engine == 'native' else float32_engines(network)
    expected = _float32_labels(reference, network, spec, inference_spec, image)
    builders = {setting: partial(build_engine, network, spec, inference_spec,
                                 replace(config, **setting._asdict())) for setting in settings}
    tuning, engines = measure(builders, image, expected, clock, runs, slow_factor)
    file = _file(network, spec, inference_spec, config)
    if file and tuning.measurements:
        store_tuning(file, tuning, environment(settings))
    return tuning, engines


def open_settings(config: ModelConfig, network: AnyNetwork) -> list[Setting]:
    """Return the settings among which a measurement on the CPU decides, if any.

    They are those of the installed engines for the network if the engine is 'auto', and all
    precisions of an engine that has several here if the precision is 'auto'.
    """
    if 'auto' not in (config.engine, config.precision):
        return []
    settings = [Setting(name, precision) for name in engines_for(network)
                if config.engine in ('auto', name)
                for precision in ENGINE_CLASSES[name].precisions_for(network)
                if config.precision in ('auto', precision) and _may_run(name, precision)]
    is_only_choice = len(settings) == 1 and config.engine != 'auto'
    is_last_resort = settings == [Setting(_last_resort(network), 'float32')]
    return [] if is_only_choice or is_last_resort else settings


def _may_run(name: str, precision: str) -> bool:
    """Return whether an engine may have a precision here; some know only when they are built."""
    try:
        return name != 'native' or precision in native_precisions()
    except BadInput:
        return True  # building it gives the reason


def _float32_labels(names: Sequence[str], network: AnyNetwork, spec: AnySpec,
                    inference_spec: InferenceSpec, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the labels of an image, uint8 (h, w), of the first of these engines that runs."""
    for name in names:
        config = ModelConfig(engine=name, device='cpu', precision='float32')
        try:
            return build_engine(network, spec, inference_spec, config).infer(image, False)[0]
        except BadInput as error:
            if name == names[-1]:
                raise
            logger.info('engine %s does not run: %s', name, error)
    raise AssertionError('there is always an engine')


def float32_engines(network: AnyNetwork) -> list[str]:
    """Return the engines that run networks of its kind in float32 on every machine."""
    if not isinstance(network, OnnxNetwork):
        return ['native' if _needs_native(network) else 'torch']
    return [name for name in ('openvino', 'onnxruntime') if name in engines_for(network)] or [
        'onnxruntime']


def _last_resort(network: AnyNetwork) -> str:
    """Return the engine for a network if no other one runs."""
    return float32_engines(network)[-1]


def _needs_native(network: AnyNetwork) -> bool:
    """Return whether no other engine can run a network, because PyTorch is missing."""
    return not isinstance(network, OnnxNetwork) and not torch_is_installed()


def _require_native(network: AnyNetwork) -> None:
    """Raise BadInput if the engine native does not run a network."""
    assert not isinstance(network, OnnxNetwork)
    if 'native' not in installed_engines():
        raise BadInput(f'{NATIVE_ONLY}, and it is not built; pip install torch, or reinstall the '
                       'package where CMake finds a C++ compiler')
    supported_layers(as_stored(network))


def _engine_for_device(config: ModelConfig, network: AnyNetwork) -> tuple[str, str]:
    """Return the engine's name, which is 'auto' if a measurement decides, and the reason."""
    if config.engine != 'auto':
        return config.engine, 'requested'
    if config.device != 'cpu':
        if not isinstance(network, OnnxNetwork) and torch_sees_gpu():
            return 'torch', 'this torch sees a CUDA GPU'
        if not _needs_native(network):
            if tensorrt_is_usable():
                return 'tensorrt', 'ONNX Runtime has TensorRT'
            if has_provider('CUDA'):
                return 'onnxruntime', 'ONNX Runtime has CUDA'
        if config.device == 'cuda':
            return _last_resort(network), 'no other installed runtime has CUDA'
    if config.device == 'cpu':
        return 'auto', 'device cpu is requested'
    if gpu := gpu_name():
        return 'auto', f'no installed runtime can use the GPU {gpu}'
    return 'auto', 'there is no GPU'


def _chosen_config(config: ModelConfig, tuning: Tuning, network: AnyNetwork) -> ModelConfig:
    """Return `config` with the chosen setting; raise BadInput if a named engine does not run."""
    if tuning.chosen:
        return replace(config, **tuning.chosen.setting._asdict())
    if config.engine == 'auto':
        return replace(config, engine=_last_resort(network))
    raise BadInput(next(iter(tuning.failures.values())))


def _file(network: AnyNetwork, spec: AnySpec, inference_spec: InferenceSpec,
          config: ModelConfig) -> Path | None:
    """Return the file of the measurements, or None without a cache folder."""
    folder = cache_folder(config.cache_folder)
    if folder is None:
        return None
    key = (network_digest(network, spec), inference_spec, config.threads, config.engine,
           config.precision)
    return folder / f'tuning_{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}.json'


def _log_faster_engines(selected: str, network: AnyNetwork) -> None:
    """Log which engines are usually faster than the selected one and not installed."""
    if _needs_native(network):
        return
    remedies = []
    if 'native' not in installed_engines() and not isinstance(network, OnnxNetwork):
        remedies.append('native (reinstall the package where CMake finds a C++ compiler)')
    if selected == _last_resort(network) and (missing := missing_packages('openvino')):
        remedies.append(f'openvino (pip install {" ".join(missing)})')
    if remedies:
        _log_once(f'usually faster, but not installed: {", ".join(remedies)}')


@cache
def _log_once(message: str) -> None:
    logger.info(message)
