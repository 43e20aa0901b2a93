"""Measure whether one batch with the frames of several cameras is faster than single frames.

    scripts/run python benchmarks/batching.py

Runs the shipped model in OpenVINO with the settings of the package's engine. The batch sizes are
measured in turns.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enet_ros.config import ModelConfig, parse_size
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_graph import cached_onnx
from enet_ros.engines.openvino_engine import OpenVinoEngine
from enet_ros.models import checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--model', default='enet_camvid')
    parser.add_argument('--sizes', nargs='+', default=['640x360', '320x184'])
    parser.add_argument('--batches', type=int, nargs='+', default=[1, 2, 4])
    parser.add_argument('--rounds', type=int, default=25)
    options = parser.parse_args()
    frames = max(options.batches)
    if min(options.batches) < 1 or any(frames % batch for batch in options.batches):
        parser.error(f'batches of {options.batches} do not all divide {frames} frames; '
                     'choose divisors of the largest')
    print(f'{frames} frames: median milliseconds, and speedup over batches of '
          f'{options.batches[0]}\n')
    print('| network |', *(f'batches of {batch} |' for batch in options.batches))
    print('|---|' + '---:|' * len(options.batches))
    for size in options.sizes:
        spec = InferenceSpec(*parse_size(size))
        images = np.random.default_rng(0).integers(
            0, 256, (frames, spec.height, spec.width, 3), np.uint8)
        times = measure(make_requests(options.model, spec, options.batches), images,
                        options.rounds)
        base = times[options.batches[0]]
        print(f'| {size} |', *(
            f'{statistics.median(each):.1f}, '
            f'{statistics.median(before / now for before, now in zip(base, each)):.2f} |'
            for each in times.values()), flush=True)


def make_requests(path: str, inference_spec: InferenceSpec,
                  batches: Sequence[int]) -> dict[int, Any]:
    """Return an OpenVINO InferRequest for each batch size."""
    network, spec = checkpoint.load(path)
    engine = OpenVinoEngine(network, spec, inference_spec, ModelConfig())
    requests = {}
    with tempfile.TemporaryDirectory() as folder:
        file = cached_onnx(Path(folder), network, spec, inference_spec, confidence=False)
        for batch in batches:
            graph = engine.core.read_model(file)
            graph.reshape([batch, inference_spec.height, inference_spec.width, 3])
            compiled = engine.core.compile_model(graph, 'CPU', engine.settings)
            requests[batch] = compiled.create_infer_request()
    return requests


def measure(requests: Mapping[int, Any], images: NDArray[np.uint8],
            rounds: int) -> dict[int, list[float]]:
    """Return, by batch size, the milliseconds that all images take in each round.

    images: uint8 (N, H, W, 3).
    """
    times: dict[int, list[float]] = {batch: [] for batch in requests}
    for index in range(rounds + 1):
        for batch, request in requests.items():
            start = time.perf_counter()
            for first in range(0, len(images), batch):
                request.start_async([images[first:first + batch]], share_inputs=True)
                request.wait()
            if index:  # the first round warms up
                times[batch].append(1e3 * (time.perf_counter() - start))
    return times


if __name__ == '__main__':
    main()
