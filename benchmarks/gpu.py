"""Check speed and labels of the torch engine on an NVIDIA GPU, within eight minutes.

    python benchmarks/gpu.py

Needs a CUDA build of torch, numpy, safetensors and OpenCV, and this checkout; nothing is built.
Prints Markdown: agreement with float32 on the CPU; milliseconds from image to labels in host
memory for the plain network, the eager inference graph and the CUDA graph; and GPU memory. The
exit code is 1 if labels differ too much, or if the CUDA graph in float16 is not 5 times as fast at
640x360 as the plain network with PyTorch's defaults.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from enet_ros.benchmark.candidates import plain_pytorch
from enet_ros.benchmark.machine import describe_machine
from enet_ros.benchmark.measure import Image, Labels, Run, measure, warm_up
from enet_ros.benchmark.networks import load_networks, street_frames
from enet_ros.config import ModelConfig
from enet_ros.engines.engine import build_engine
from enet_ros.engines.graph import InferenceGraph
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.models.checkpoint import ModelSpec, read_spec
from enet_ros.models.network import Network

Size = tuple[int, int]  # width, height in pixels

SIZES = (480, 320), (640, 360), (1280, 720), (1920, 1080)
PRECISIONS = 'float32', 'float16'
MIN_AGREEMENT = {'float32': 0.9999, 'float16': 0.99}
TARGET_SIZE, TARGET_SPEEDUP = (640, 360), 5.0
PLAIN, PLAIN_TF32 = 'plain network, float32', 'plain network, float32 with TF32'
FRAMES, ROUNDS, TURN_S, CANDIDATE_S = 4, 6, 0.3, 6
TIME_LIMIT_S = 420


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', default='enet_camvid')
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print('torch finds no CUDA GPU; install a CUDA build of torch and the NVIDIA driver',
              file=sys.stderr)
        return 1
    # By default PyTorch's convolutions use TF32, which rounds float32 inputs to 10-bit mantissas.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    start, failures = time.perf_counter(), list[str]()
    trained = read_spec(options.model).architecture
    machine = describe_machine()
    print(f'{machine["gpu"]}, CUDA {torch.version.cuda}, torch {torch.__version__}, '
          f'{machine["processor"]}, {machine["cores"]} cores. `python {" ".join(sys.argv)}`\n\n'
          'From a uint8 image to uint8 labels in host memory, batch 1, synthetic street; networks '
          f'other than {trained} with random weights; TF32 disabled unless named.', flush=True)
    for name, (network, spec) in load_networks(options.model).items():
        for size in SIZES:
            if time.perf_counter() - start > TIME_LIMIT_S:
                print(f'\n{name} at {size[0]}x{size[1]}: skipped, the time limit is reached')
                continue
            failures += check(network, spec, size, name == trained)
    print(f'\n{time.perf_counter() - start:.0f} s in total.')
    for failure in failures:
        print(f'**Failed: {failure}**')
    return int(bool(failures))


def check(network: Network, spec: ModelSpec, size: Size, trained: bool) -> list[str]:
    """Print the table of a network at a size; return what failed.

    trained: whether the network has trained weights. Random ones leave many pixels near a tie,
    so that their agreement is not checked.
    """
    frames = street_frames(*size, FRAMES)
    title = f'{spec.architecture} at {size[0]}x{size[1]}'
    runs: dict[str, Run] = {}
    memory: dict[str, float] = {}
    for way, make in candidates(network, spec, size).items():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        try:
            runs[way] = make()
            warm_up(runs[way], frames[0], TURN_S)
        except torch.cuda.OutOfMemoryError:
            runs.pop(way, None)
            print(f'\n{title}, {way}: skipped, the GPU has too little memory')
            continue
        memory[way] = (torch.cuda.max_memory_allocated() - before) / 2 ** 20
    if PLAIN not in runs:
        return []
    times = measure(runs, frames, ROUNDS, TURN_S, CANDIDATE_S)

    expected = None
    if trained or size == TARGET_SIZE:  # large networks take too long on a CPU at large sizes
        expected = plain_pytorch('cpu').load(network, spec, *size, 0)(frames[0])
    print(f'\n### {title}\n\n| | ms median | p95 | frames/s | speedup over plain | '
          'labels = plain on the GPU | labels = CPU float32 | GPU memory, MiB |\n'
          '|---|---:|---:|---:|---:|---:|---:|---:|')
    failures = []
    for way, measured in times.items():
        on_cpu = None if expected is None else np.mean(measured.labels[0] == expected)
        agreement = measured.agreement(times[PLAIN]) if on_cpu is None else on_cpu
        print(f'| {way} | {measured.median:.2f} | {measured.p95:.2f} | '
              f'{1e3 / measured.median:.0f} | {measured.speedup_over(times[PLAIN]):.2f} | '
              f'{100 * measured.agreement(times[PLAIN]):.3f} % | '
              f'{"-" if on_cpu is None else f"{100 * on_cpu:.3f} %"} | {memory[way]:.0f} |',
              flush=True)
        if trained and agreement < MIN_AGREEMENT.get(way.split(', ')[1], 0.99):
            failures.append(f'{title}, {way}: {100 * agreement:.3f} % of labels are equal')
    if trained and size == TARGET_SIZE:
        speedups = {base: times['CUDA graph, float16'].speedup_over(times[base])
                    for base in (PLAIN_TF32, PLAIN, 'eager, float32')}
        for base, speedup in speedups.items():
            print(f'\nCUDA graph, float16: {speedup:.1f} times as fast as {base}')
        if speedups[PLAIN_TF32] < TARGET_SPEEDUP:
            failures.append(f'{title}: the CUDA graph is not {TARGET_SPEEDUP:.0f} times as fast')
    return failures


def candidates(network: Network, spec: ModelSpec, size: Size) -> dict[str, Callable[[], Run]]:
    """Return, by name, functions that make a function from images to labels."""
    made: dict[str, Callable[[], Run]] = {
        PLAIN: lambda: plain_pytorch('cuda').load(network, spec, *size, 0),
        PLAIN_TF32: lambda: with_tf32(plain_pytorch('cuda').load(network, spec, *size, 0))}
    for precision in PRECISIONS:
        made[f'eager, {precision}'] = partial(eager, network, spec, size, precision)
        made[f'CUDA graph, {precision}'] = partial(cuda_graph, network, spec, size, precision)
    return made


def with_tf32(run: Run) -> Run:
    """Return the function with TF32 enabled, PyTorch's default for convolutions."""
    def run_with_tf32(image: Image) -> Labels:
        torch.backends.cudnn.allow_tf32 = True
        try:
            return run(image)
        finally:
            torch.backends.cudnn.allow_tf32 = False

    return run_with_tf32


def eager(network: Network, spec: ModelSpec, size: Size, precision: str) -> Run:
    """Return the inference graph on the GPU, which launches each operator separately."""
    inference_graph = InferenceGraph(network, spec, InferenceSpec(*size)).to('cuda')
    inference_graph.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    inference_graph.network.to(getattr(torch, precision))

    @torch.inference_mode()
    def run(image: Image) -> Labels:
        return inference_graph(torch.from_numpy(image)[None].to('cuda'))[0][0].cpu().numpy()

    return run


def cuda_graph(network: Network, spec: ModelSpec, size: Size, precision: str) -> Run:
    """Return the torch engine, which replays a CUDA graph."""
    engine = build_engine(network, spec, InferenceSpec(*size), ModelConfig(
        engine='torch', device='cuda', precision=precision))
    return lambda image: engine.infer(image, False)[0]


if __name__ == '__main__':
    sys.exit(main())
