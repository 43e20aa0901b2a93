"""The comparison of an ONNX network on the engines with the same network run by hand.

By hand means: the runtime on the network as it is, and normalization, interpolation and arg max in
NumPy and PyTorch. `OpenVINO, network alone` is what the network itself takes: its input is ready,
and its output is not used.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from enet_ros.benchmark.candidates import engine_settings
from enet_ros.benchmark.machine import describe_machine
from enet_ros.benchmark.measure import Image, Labels, Measurement, Run, measure, warm_up
from enet_ros.benchmark.networks import street_frames
from enet_ros.benchmark.plan import Plan
from enet_ros.benchmark.results import OnnxResults, OnnxSizeResult
from enet_ros.benchmark.status_line import StatusLine
from enet_ros.config import ModelConfig
from enet_ros.engines.engine import ENGINE_CLASSES, Engine, build_engine, engines_for
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.errors import BadInput
from enet_ros.models.onnx_network import OnnxNetwork
from enet_ros.models.onnx_spec import OnnxSpec

FRAMES = 4
BY_HAND, ALONE, ONNX_RUNTIME = ('OpenVINO by hand, float32', 'OpenVINO, network alone, float32',
                                'ONNX Runtime by hand')
Infer = Callable[[NDArray[Any]], NDArray[Any]]  # the network's input -> its first output
Prepare = Callable[[Image], NDArray[Any]]  # an image -> the network's input


def compare_onnx(network: OnnxNetwork, spec: OnnxSpec, plan: Plan, names: Sequence[str] = (),
                 threads: int = 0, save: Callable[[OnnxResults], None] = lambda results: None
                 ) -> OnnxResults:
    """Measure an ONNX network in turns and return the results.

    Raise BadInput if a requested engine or size is impossible.

    plan: what is measured, and for how long.
    names: engines on a CPU; empty means all that are installed. threads: 0 means one per core.
    save: called with the results so far after each size.
    """
    for name in names:
        ModelConfig(engine=name)  # checks the name
        if name == 'auto':
            raise BadInput('auto stands for one of the engines; name the engines to compare, or '
                           'none to compare all that are installed')
    status = StatusLine()
    results: OnnxResults = {
        'command': '', 'model': str(network.path), 'label_set': spec.labels.name,
        'classes': len(spec.labels), 'machine': describe_machine(), 'threads': threads,
        'sizes': [], 'skipped': []}
    skipped: dict[str, str] = {}
    for width, height in plan.sizes:
        status.stage(f'{width}x{height}')
        frames = street_frames(width, height, FRAMES)
        with tempfile.TemporaryDirectory(prefix='enet_benchmark_') as cache_folder:
            candidates = _engines(network, spec, (width, height), names, threads, cache_folder,
                                  skipped)
            engines = set(candidates)
            candidates |= _by_hand(network, spec, frames[0], threads)
            for name, run in candidates.items():
                status.step(f'{width}x{height}: {name}')
                warm_up(run, frames[0], plan.turn_s)
            measurements = measure(candidates, frames, plan.rounds, plan.turn_s,
                                   plan.candidate_s)
        results['sizes'].append(_size_result((width, height), measurements, engines))
        results['skipped'] = [{'name': name, 'reason': reason}
                              for name, reason in skipped.items()]
        save(results)
    return results


def _size_result(size: tuple[int, int], measurements: Mapping[str, Measurement],
                 engines: Set[str]) -> OnnxSizeResult:
    """Return the figures of the candidates, of which some are engines."""
    reference = next(name for name in (BY_HAND, ONNX_RUNTIME) if name in measurements)
    by_hand = measurements[reference]
    return {'width': size[0], 'height': size[1], 'reference': reference, 'rows': [{
        'name': name, 'is_engine': name in engines, 'median_ms': each.median,
        'p95_ms': each.p95, 'rounds': len(each.turns), 'frames': len(each.milliseconds),
        'time_relative_to_by_hand': 1 / each.speedup_over(by_hand),
        'agreement': None if name == ALONE else each.agreement(by_hand),
        'milliseconds': [round(value, 3) for value in each.milliseconds],
    } for name, each in measurements.items()]}


def _engines(network: OnnxNetwork, spec: OnnxSpec, size: tuple[int, int], names: Sequence[str],
             threads: int, cache_folder: str, skipped: dict[str, str]) -> dict[str, Run]:
    """Return the engines that run; add the reasons why others do not to `skipped`."""
    runs: dict[str, Run] = {}
    for name in names or [name for name in engines_for(network) if name != 'tensorrt']:
        for precision in ENGINE_CLASSES[name].precisions_for(network) or ('float32',):
            full_name = f'{name} cpu {precision}'
            config = ModelConfig(**engine_settings(full_name), threads=threads,
                                 cache_folder=cache_folder)
            try:
                engine = build_engine(network, spec, InferenceSpec(*size), config)
                engine.infer(np.zeros((size[1], size[0], 3), np.uint8), confidence=False)
            except BadInput as error:
                if precision == 'float32' and names:
                    raise
                skipped[full_name] = str(error)
            else:
                runs[full_name] = _engine_run(engine)
    return runs


def _engine_run(engine: Engine) -> Run:
    return lambda image: engine.infer(image, False)[0]


def _by_hand_run(infer: Infer, prepare: Prepare, spec: OnnxSpec) -> Run:
    return lambda image: _labels(infer(prepare(image)), spec, image)


def _by_hand(network: OnnxNetwork, spec: OnnxSpec, frame: Image, threads: int) -> dict[str, Run]:
    """Return the runtimes as one would call them without this package."""
    prepare = _preparation(spec)
    runs: dict[str, Run] = {}
    for name, infer in {BY_HAND: _openvino(network, threads),
                        ONNX_RUNTIME: _onnxruntime(network, threads)}.items():
        if infer:
            runs[name] = _by_hand_run(infer, prepare, spec)
    if alone := _openvino(network, threads):
        ready, nothing = prepare(frame), np.zeros(frame.shape[:2], np.uint8)

        def run_alone(image: Image) -> Labels:
            alone(ready)
            return nothing

        runs[ALONE] = run_alone
    return runs


def _openvino(network: OnnxNetwork, threads: int) -> Infer | None:
    try:
        import openvino
    except ImportError:
        return None
    core = openvino.Core()
    settings: dict[str, str | int] = {'PERFORMANCE_HINT': 'LATENCY',
                                      'INFERENCE_PRECISION_HINT': 'f32'}
    if threads:
        settings['INFERENCE_NUM_THREADS'] = threads
    request = core.compile_model(core.read_model(network.content), 'CPU',
                                 settings).create_infer_request()
    return lambda x: request.infer([x], share_inputs=True, share_outputs=True)[0]


def _onnxruntime(network: OnnxNetwork, threads: int) -> Infer | None:
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(network.content, options,
                                           providers=['CPUExecutionProvider'])
    return lambda x: session.run(None, {session.get_inputs()[0].name: x})[0]


def _preparation(spec: OnnxSpec) -> Prepare:
    """Return the function from an image to the network's input, in as little NumPy as it takes."""
    takes = spec.input
    if takes.dtype == 'uint8':
        return takes.array
    axes = (2, 0, 1) if takes.layout == 'NCHW' else (0, 1, 2)
    scale = np.float32(takes.range / 255) / np.array(takes.std, np.float32)
    shift = np.array(takes.mean, np.float32) / np.array(takes.std, np.float32)
    step = -1 if takes.channels == 'bgr' else 1

    def prepare(image: Image) -> NDArray[np.float32]:
        x = image[..., ::step] * scale - shift
        return np.ascontiguousarray(x.transpose(axes)[None])

    return prepare


def _labels(prediction: NDArray[Any], spec: OnnxSpec, image: Image) -> Labels:
    """Return the labels (H, W) of a prediction at the size of the image."""
    height, width = image.shape[:2]
    if spec.output == 'labels':
        squeezed = prediction.squeeze().astype(np.uint8)
        return cv2.resize(squeezed, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    if spec.input.layout == 'NHWC':
        prediction = prediction.transpose(0, 3, 1, 2)
    if prediction.shape[2:] != (height, width):
        prediction = F.interpolate(torch.from_numpy(prediction), (height, width),
                                   mode='bilinear').numpy()
    return prediction[0].argmax(0).astype(np.uint8)
