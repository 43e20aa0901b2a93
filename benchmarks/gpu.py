"""Check the engine torch on an NVIDIA GPU, within eight minutes: python benchmarks/gpu.py

Needs a CUDA build of torch, numpy, safetensors and OpenCV, and this checkout; nothing is built.
Prints Markdown: agreement with float32 on the CPU, milliseconds of the plain network, the eager
deployment and the CUDA graph from image to labels in the computer's memory, and GPU memory. Exit
with 1 where labels differ too much, or where the graph in float16 is not 5 times as fast at
640x360 as the plain network with PyTorch's defaults.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from enet_ros.benchmark.candidates import plain_pytorch
from enet_ros.benchmark.machine import describe_machine
from enet_ros.benchmark.measure import measure, warm_up
from enet_ros.benchmark.networks import load_networks, street_frames
from enet_ros.config import ModelConfig
from enet_ros.engines.engine import build_engine
from enet_ros.engines.graph import InferenceGraph
from enet_ros.engines.inference_spec import InferenceSpec

SIZES = (480, 320), (640, 360), (1280, 720), (1920, 1080)
PRECISIONS = 'float32', 'float16'
LEAST_EQUAL = {'float32': 0.9999, 'float16': 0.99}
BAR_SIZE, BAR_RATIO = (640, 360), 5.0
PLAIN, PLAIN_TF32 = 'plain network, float32', 'plain network, float32 with TF32'
FRAMES, ROUNDS, TURN_S, CANDIDATE_S = 4, 6, 0.3, 6
DEADLINE_S = 420


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', default='enet_camvid')
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print('this torch sees no CUDA GPU; install a CUDA build of torch and the driver',
              file=sys.stderr)
        return 1
    # PyTorch's default lets convolutions round the factors of float32 to ten bits: TF32.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    start, failures = time.perf_counter(), []
    machine = describe_machine()
    print(f'{machine["gpu"]}, CUDA {torch.version.cuda}, torch {torch.__version__}, '
          f'{machine["processor"]}, {machine["cores"]} cores. `python {" ".join(sys.argv)}`\n\n'
          'From a uint8 image in memory to uint8 labels in memory, batch 1, synthetic street; '
          'SegNet with random weights; TF32 off but where it is named.', flush=True)
    for name, (network, spec) in load_networks(options.model).items():
        for size in SIZES:
            if time.perf_counter() - start > DEADLINE_S:
                print(f'\n{name} at {size[0]}x{size[1]}: left out, the time is up')
                continue
            failures += check(name, network, spec, size)
    print(f'\n{time.perf_counter() - start:.0f} s in all.')
    for failure in failures:
        print(f'**Failed: {failure}**')
    return int(bool(failures))


def check(name, network, spec, size):
    """Print one size's table; return what failed."""
    frames = street_frames(*size, FRAMES)
    title = f'{name} at {size[0]}x{size[1]}'
    ways, memory = {}, {}
    for way, make in candidates(network, spec, size).items():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        try:
            ways[way] = make()
            warm_up(ways[way], frames[0], TURN_S)
        except torch.cuda.OutOfMemoryError:
            ways.pop(way, None)
            print(f'\n{title}, {way}: left out, the GPU has too little memory')
            continue
        memory[way] = (torch.cuda.max_memory_allocated() - before) / 2 ** 20
    if PLAIN not in ways:
        return []
    times = measure(ways, frames, ROUNDS, TURN_S, CANDIDATE_S)

    expected = None
    if name == 'enet' or size == BAR_SIZE:  # SegNet takes a CPU too long at the large sizes
        expected = plain_pytorch('cpu').load(network, spec, *size)(frames[0])
    print(f'\n### {title}\n\n| | ms median | p95 | frames/s | x plain | labels = plain on the GPU '
          '| labels = CPU float32 | GPU memory, MiB |\n|---|---:|---:|---:|---:|---:|---:|---:|')
    failures = []
    for way, measured in times.items():
        on_cpu = None if expected is None else np.mean(measured.labels[0] == expected)
        agreement = measured.agreement(times[PLAIN]) if on_cpu is None else on_cpu
        print(f'| {way} | {measured.median:.2f} | {measured.p95:.2f} | '
              f'{1e3 / measured.median:.0f} | {measured.speedup_over(times[PLAIN]):.2f} | '
              f'{100 * measured.agreement(times[PLAIN]):.3f} % | '
              f'{"-" if on_cpu is None else f"{100 * on_cpu:.3f} %"} | {memory[way]:.0f} |',
              flush=True)
        # Random weights leave many pixels near a tie, so that SegNet's share says little.
        if name == 'enet' and agreement < LEAST_EQUAL.get(way.split(', ')[1], 0.99):
            failures.append(f'{title}, {way}: {100 * agreement:.3f} % of labels are equal')
    if (name, size) == ('enet', BAR_SIZE):
        ratios = {base: times['CUDA graph, float16'].speedup_over(times[base])
                  for base in (PLAIN_TF32, PLAIN, 'eager, float32')}
        for base, ratio in ratios.items():
            print(f'\nCUDA graph, float16, against {base}: {ratio:.1f} times as fast')
        if ratios[PLAIN_TF32] < BAR_RATIO:
            failures.append(f'{title}: the CUDA graph is not {BAR_RATIO:.0f} times as fast')
    return failures


def candidates(network, spec, size):
    """Return {name: function that makes a function, image -> labels}."""
    made = {PLAIN: lambda: plain_pytorch('cuda').load(network, spec, *size),
            PLAIN_TF32: lambda: with_tf32(plain_pytorch('cuda').load(network, spec, *size))}
    for precision in PRECISIONS:
        made[f'eager, {precision}'] = lambda precision=precision: eager(
            network, spec, size, precision)
        made[f'CUDA graph, {precision}'] = lambda precision=precision: graph(
            network, spec, size, precision)
    return made


def with_tf32(run):
    """Return a function that runs with PyTorch's default for float32."""
    def run_with_tf32(image):
        torch.backends.cudnn.allow_tf32 = True
        try:
            return run(image)
        finally:
            torch.backends.cudnn.allow_tf32 = False

    return run_with_tf32


def eager(network, spec, size, precision):
    """Return the deployed network on the GPU, each operator launched by itself."""
    deployment = InferenceGraph(network, spec, InferenceSpec(*size)).to(
        'cuda', memory_format=torch.channels_last)
    deployment.network.to(getattr(torch, precision))

    @torch.inference_mode()
    def run(image):
        return deployment(torch.from_numpy(image)[None].to('cuda'))[0][0].cpu().numpy()

    return run


def graph(network, spec, size, precision):
    """Return the engine torch."""
    engine = build_engine(network, spec, InferenceSpec(*size), ModelConfig(
        engine='torch', device='cuda', precision=precision))
    return lambda image: engine.infer(image, False)[0]


if __name__ == '__main__':
    sys.exit(main())
