"""Compare an ONNX network on the OpenVINO engine with the same network run by hand in OpenVINO.

    scripts/run python benchmarks/onnx_network.py net.onnx

From an uint8 image of the network's size to uint8 labels, in float32, in turns. By hand means
normalization and arg max in NumPy, as most programs have them. `network alone` is OpenVINO on an
input that is ready, without arg max: what the network itself takes.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from enet_ros.benchmark.machine import describe_machine
from enet_ros.benchmark.measure import Image, Labels, Run, measure, warm_up
from enet_ros.benchmark.networks import street_frames
from enet_ros.errors import BadInput
from enet_ros.models.loading import load_model
from enet_ros.models.onnx_network import OnnxNetwork
from enet_ros.models.onnx_spec import OnnxSpec
from enet_ros.segmenter import Segmenter

ENGINE, WITH_CONFIDENCE, BY_HAND, ALONE = (
    'engine openvino', 'engine openvino, with confidence', 'by hand', 'network alone')


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('model', help='ONNX file with a YAML file beside it')
    parser.add_argument('--threads', type=int, default=0)
    parser.add_argument('--rounds', type=int, default=8)
    parser.add_argument('--seconds', type=float, default=12, help='of each candidate, at most')
    options = parser.parse_args()
    network, spec = load_model(options.model)
    if not isinstance(network, OnnxNetwork) or not isinstance(spec, OnnxSpec):
        raise BadInput(f'{options.model} is a checkpoint; name an ONNX file')
    frames = street_frames(spec.width, spec.height, 4)
    segmenter = Segmenter(network, spec, engine='openvino', device='cpu', precision='float32',
                          threads=options.threads)
    request = by_hand(network, options.threads)
    prepare = preparation(spec)
    ready = prepare(frames[0])

    def run_by_hand(image: Image) -> Labels:
        return labels_of(infer(request, prepare(image)), spec)

    def run_alone(image: Image) -> Labels:
        infer(request, ready)
        return np.zeros(image.shape[:2], np.uint8)

    candidates: dict[str, Run] = {
        ENGINE: lambda image: segmenter.engine.infer(image, False)[0],
        WITH_CONFIDENCE: lambda image: segmenter.engine.infer(image, True)[0],
        BY_HAND: run_by_hand, ALONE: run_alone}
    for run in candidates.values():
        warm_up(run, frames[0], 0.2)
    machine = describe_machine()
    measurements = measure(candidates, frames, options.rounds, 0.25, options.seconds)
    print(f'{machine["processor"]}, {machine["cores"]} cores, '
          f'{"with" if machine["amx_bf16"] else "without"} AMX; load {machine["load"]}; '
          f'openvino {openvino.__version__}; {spec.width}x{spec.height}, threads: '
          f'{options.threads or "one per core"}\n')
    print('| | ms | p95 | time relative to by hand | labels equal to by hand |\n'
          '|---|---:|---:|---:|---:|')
    for name, each in measurements.items():
        agreement = '' if name == ALONE else f'{each.agreement(measurements[BY_HAND]):.4%}'
        print(f'| {name} | {each.median:.1f} | {each.p95:.1f} | '
              f'{1 / each.speedup_over(measurements[BY_HAND]):.3f} | {agreement} |')


def by_hand(network: OnnxNetwork, threads: int) -> openvino.InferRequest:
    """Return OpenVINO's request for a network as it is."""
    core = openvino.Core()
    settings: dict[str, str | int] = {'PERFORMANCE_HINT': 'LATENCY',
                                      'INFERENCE_PRECISION_HINT': 'f32'}
    if threads:
        settings['INFERENCE_NUM_THREADS'] = threads
    return core.compile_model(core.read_model(network.content), 'CPU',
                              settings).create_infer_request()


def preparation(spec: OnnxSpec) -> Callable[[Image], NDArray[Any]]:
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


def infer(request: openvino.InferRequest, x: NDArray[Any]) -> NDArray[Any]:
    """Return the network's first output."""
    return request.infer([x], share_inputs=True, share_outputs=True)[0]


def labels_of(prediction: NDArray[Any], spec: OnnxSpec) -> Labels:
    """Return labels (H, W) of a prediction at the size of the image."""
    if spec.output == 'labels':
        return prediction.reshape(prediction.shape[-2:]).astype(np.uint8)
    return prediction[0].argmax(0 if spec.input.layout == 'NCHW' else 2).astype(np.uint8)


if __name__ == '__main__':
    main()
