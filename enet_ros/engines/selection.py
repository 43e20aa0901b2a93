"""The engine for a ModelConfig: the one that it names, or the fastest one of this machine."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import torch

from enet_ros.config import ModelConfig
from enet_ros.engines.cache import cache_folder
from enet_ros.engines.device import gpu_name
from enet_ros.engines.engine import (
    ENGINE_CLASSES,
    Engine,
    build_engine,
    has_provider,
    installed_engines,
    missing_packages,
    tensorrt_is_usable,
)
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_graph import network_digest
from enet_ros.engines.street_image import street_image
from enet_ros.engines.tuning import SLOW_FACTOR, TIMED_RUNS, Setting, Tuning, measure
from enet_ros.engines.tuning_file import environment, load_tuning, store_tuning
from enet_ros.errors import BadInput
from enet_ros.logger import logger
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.network import Network

LAST_RESORT = 'torch'  # the engine that every machine and network has
TUNE_RUNS = 20  # timed runs of each engine if the user asks for the measurement
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


def select_engine(network: Network, spec: ModelSpec, inference_spec: InferenceSpec,
                  config: ModelConfig, clock: Clock = time.perf_counter) -> SelectedEngine:
    """Build the engine that `config` names, or the fastest one for its device if it is 'auto'.

    On a CPU, the engines and precisions that `config` leaves open are measured once for each
    network, size and machine; the figures are stored in the cache folder. Raise BadInput if the
    engine that `config` names does not run with its settings on this machine.
    """
    name, reason = _engine_for_device(config)
    config = replace(config, engine=name)
    if open_settings(config):
        selected = _select_measured(network, spec, inference_spec, config, reason, clock)
    else:
        config = replace(config, engine=LAST_RESORT if name == 'auto' else name)
        engine = build_engine(network, spec, inference_spec, config)
        selected = SelectedEngine(engine, config, reason)
    if name == 'auto':
        _log_faster_engines(selected.config.engine)
    return selected


def _select_measured(network: Network, spec: ModelSpec, inference_spec: InferenceSpec,
                     config: ModelConfig, reason: str, clock: Clock) -> SelectedEngine:
    """Return the engine with the best figures, stored or new ones."""
    file = _file(network, spec, inference_spec, config)
    engines: dict[Setting, Engine] = {}
    tuning = load_tuning(file, environment(open_settings(config))) if file else None
    if tuning is None:
        tuning, engines = tune(network, spec, inference_spec, config, clock)
        for setting, failure in tuning.failures.items():
            logger.info('engine %s does not run: %s', setting, failure)
    if config.precision == 'auto' and tuning.chosen and not tuning.chosen.is_accurate:
        logger.warning('no engine gives the labels of float32; %s', tuning.reason())
    chosen = _chosen_config(config, tuning)
    engine = (engines.get(Setting(chosen.engine, chosen.precision))
              or build_engine(network, spec, inference_spec, chosen))
    return SelectedEngine(engine, chosen, f'{reason}; {tuning.reason()}')


def tune(network: Network, spec: ModelSpec, inference_spec: InferenceSpec, config: ModelConfig,
         clock: Clock = time.perf_counter, runs: int = TIMED_RUNS,
         slow_factor: float = SLOW_FACTOR) -> tuple[Tuning, dict[Setting, Engine]]:
    """Measure the settings that `config` leaves open, store the figures, and return the engines.

    Arguments are those of `select_engine` and `measure`. Raise BadInput if nothing is open.
    """
    settings = open_settings(config)
    if not settings:
        raise BadInput(f'engine {config.engine} and precision {config.precision} leave nothing to '
                       'measure; choose engine and precision auto, and install openvino and onnx')
    image = street_image(inference_spec.width, inference_spec.height)
    reference = build_engine(network, spec, inference_spec, ModelConfig(
        engine=LAST_RESORT, device='cpu', precision='float32'))
    expected, _ = reference.infer(image, confidence=False)
    builders = {setting: partial(build_engine, network, spec, inference_spec,
                                 replace(config, **setting._asdict())) for setting in settings}
    tuning, engines = measure(builders, image, expected, clock, runs, slow_factor)
    file = _file(network, spec, inference_spec, config)
    if file and tuning.measurements:
        store_tuning(file, tuning, environment(settings))
    return tuning, engines


def open_settings(config: ModelConfig) -> list[Setting]:
    """Return the settings among which a measurement on the CPU decides, if any.

    They are those of the installed engines if the engine is 'auto', and all precisions of an
    engine that has several if the precision is 'auto'.
    """
    if 'auto' not in (config.engine, config.precision):
        return []
    names = installed_engines() if config.engine == 'auto' else [config.engine]
    return [Setting(name, precision) for name in names
            for precision in ENGINE_CLASSES[name].precisions
            if config.precision in ('auto', precision)]


def _engine_for_device(config: ModelConfig) -> tuple[str, str]:
    """Return the engine's name, which is 'auto' if a measurement decides, and the reason."""
    if config.engine != 'auto':
        return config.engine, 'requested'
    if config.device != 'cpu':
        if torch.cuda.is_available():
            return 'torch', 'this torch sees a CUDA GPU'
        if tensorrt_is_usable():
            return 'tensorrt', 'ONNX Runtime has TensorRT'
        if has_provider('CUDA'):
            return 'onnxruntime', 'ONNX Runtime has CUDA, and this torch sees no CUDA GPU'
        if config.device == 'cuda':
            return 'torch', 'no other installed runtime has CUDA'
    if config.device == 'cpu':
        return 'auto', 'device cpu is requested'
    if gpu := gpu_name():
        return 'auto', f'no installed runtime can use the GPU {gpu}'
    return 'auto', 'there is no GPU'


def _chosen_config(config: ModelConfig, tuning: Tuning) -> ModelConfig:
    """Return `config` with the chosen setting; raise BadInput if a named engine does not run."""
    if tuning.chosen:
        return replace(config, **tuning.chosen.setting._asdict())
    if config.engine == 'auto':
        return replace(config, engine=LAST_RESORT)
    raise BadInput(next(iter(tuning.failures.values())))


def _file(network: Network, spec: ModelSpec, inference_spec: InferenceSpec,
          config: ModelConfig) -> Path | None:
    """Return the file of the measurements, or None without a cache folder."""
    folder = cache_folder(config.cache_folder)
    if folder is None:
        return None
    key = (network_digest(network, spec), inference_spec, config.threads, config.engine,
           config.precision)
    return folder / f'tuning_{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}.json'


def _log_faster_engines(selected: str) -> None:
    """Log which engines are usually faster than the selected one and not installed."""
    remedies = []
    if 'native' not in installed_engines():
        remedies.append('native (reinstall the package where CMake finds a C++ compiler)')
    if selected == LAST_RESORT and (missing := missing_packages('openvino')):
        remedies.append(f'openvino (pip install {" ".join(missing)})')
    if remedies:
        _log_once(f'usually faster, but not installed: {", ".join(remedies)}')


@cache
def _log_once(message: str) -> None:
    logger.info(message)
