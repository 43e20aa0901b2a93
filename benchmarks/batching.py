"""Print whether frames of several cameras are done sooner in one batch than one after the other.

    scripts/run python benchmarks/batching.py

OpenVINO, as the engine has it, on the shipped model. Batches of each size take turns.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from enet_ros.config import ModelConfig, parse_size
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_graph import cached_onnx
from enet_ros.engines.openvino_engine import OpenVinoEngine
from enet_ros.models import checkpoint


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', default='enet_camvid')
    parser.add_argument('--sizes', nargs='+', default=['640x360', '320x184'])
    parser.add_argument('--batches', type=int, nargs='+', default=[1, 2, 4])
    parser.add_argument('--rounds', type=int, default=25)
    options = parser.parse_args()
    frames = max(options.batches)
    if min(options.batches) < 1 or any(frames % batch for batch in options.batches):
        parser.error(f'batches of {options.batches} do not all divide {frames} frames; '
                     'choose divisors of the largest')
    print(f'{frames} frames, milliseconds (median), times as fast as one after the other\n')
    print('| network |', *(f'batches of {batch} |' for batch in options.batches))
    print('|---|' + '---:|' * len(options.batches))
    for size in options.sizes:
        task = InferenceSpec(*parse_size(size))
        images = np.random.default_rng(0).integers(
            0, 256, (frames, task.height, task.width, 3), np.uint8)
        times = measure(requests(options.model, task, options.batches), images, options.rounds)
        single = times[options.batches[0]]
        print(f'| {size} |', *(
            f'{statistics.median(each):.1f}, '
            f'{statistics.median(one / other for one, other in zip(single, each)):.2f} |'
            for each in times.values()), flush=True)


def requests(name, task, batches):
    """Return a request of OpenVINO's for each size of a batch."""
    model, spec = checkpoint.load(name)
    engine = OpenVinoEngine(model, spec, task, ModelConfig())
    with tempfile.TemporaryDirectory() as folder:
        file = cached_onnx(Path(folder), model, spec, task, confidence=False)
        made = {}
        for batch in batches:
            graph = engine.core.read_model(file)
            graph.reshape([batch, task.height, task.width, 3])
            compiled = engine.core.compile_model(graph, 'CPU', engine.settings)
            made[batch] = compiled.create_infer_request()
    return made


def measure(made, images, rounds):
    """Return the milliseconds of all images in every round, by the size of a batch."""
    times = {batch: [] for batch in made}
    for turn in range(rounds + 1):
        for batch, request in made.items():
            start = time.perf_counter()
            for first in range(0, len(images), batch):
                request.start_async([images[first:first + batch]], share_inputs=True)
                request.wait()
            if turn:  # the first warms up
                times[batch].append(1e3 * (time.perf_counter() - start))
    return times


if __name__ == '__main__':
    main()
