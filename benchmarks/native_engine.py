"""Compare the native engine on every instruction set with what else runs the network on a CPU.

    scripts/run python benchmarks/native_engine.py
    ONEDNN_MAX_CPU_ISA=AVX2 scripts/run python benchmarks/native_engine.py

From an uint8 image to uint8 labels. All candidates with a number of threads are measured in turns.
`peak` is the time that the network's multiply-adds, counted as direct convolutions, take at the
measured peak rate of the instruction set, divided by the time of a frame; it needs a C++ compiler.
The second command asks the libraries that use oneDNN not to use AVX-512.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from enet_ros.benchmark.candidates import (
    Candidate,
    direct_openvino,
    engine_candidate,
    other_baselines,
    plain_pytorch,
)
from enet_ros.benchmark.machine import describe_machine
from enet_ros.benchmark.measure import Measurement, Run, measure, warm_up
from enet_ros.benchmark.networks import street_frames
from enet_ros.config import ModelConfig, parse_size
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.native_engine import NativeEngine
from enet_ros.engines.native_library import variants
from enet_ros.errors import BadInput
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.cost import cost_of
from enet_ros.models.network import Network

PEAK_SOURCE = Path(__file__).parent / 'multiply_add_peak.cpp'
PEAK_FLAGS = {'avx512': ['-mavx512f', '-mprefer-vector-width=512'], 'avx2': ['-mavx2', '-mfma'],
              'baseline': [], 'neon': []}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--model', default='enet_camvid')
    parser.add_argument('--size', default='640x360')
    parser.add_argument('--threads', type=int, nargs='+', default=[2, 1])
    parser.add_argument('--rounds', type=int, default=8)
    parser.add_argument('--engines-only', action='store_true',
                        help='leave out ONNX Runtime, OpenCV and the plain exports')
    options = parser.parse_args()
    width, height = parse_size(options.size)
    network, spec = checkpoint.load(options.model)
    gflops = cost_of(network, width, height).gflops
    peaks = {name: peak for name in PEAK_FLAGS if name in variants() if (peak := peak_of(name))}
    machine = describe_machine()
    print(f'{machine["processor"]}, {machine["cores"]} cores, '
          f'{"with" if machine["amx_bf16"] else "without"} AMX; load {machine["load"]}; '
          + ', '.join(f'{name} {version}' for name, version in machine['versions'].items()))
    print(f'{options.model} at {options.size}: {gflops:.2f} GFLOPs; peak of a core in GFLOP/s: '
          + ', '.join(f'{name} {peak:.0f}' for name, peak in peaks.items()))
    with tempfile.TemporaryDirectory() as cache_folder:
        candidates = [*map(native_candidate, variants()),
                      *(engine_candidate(f'openvino cpu {precision}', cache_folder)
                        for precision in ('float32', 'bfloat16')),
                      direct_openvino('float32'), plain_pytorch()]
        if not options.engines_only:
            candidates += [engine_candidate('onnxruntime cpu float32', cache_folder),
                           *other_baselines()]
        for threads in options.threads:
            measurements = run_all(candidates, network, spec, width, height, threads,
                                   options.rounds)
            print_table(threads, measurements, gflops, peaks)


def native_candidate(variant: str) -> Candidate:
    """Return the native engine on one instruction set."""
    def load(network: Network, spec: ModelSpec, width: int, height: int, threads: int) -> Run:
        precision = 'float16' if variant.endswith('_fp16') else 'float32'
        config = ModelConfig(engine='native', precision=precision, threads=threads)
        engine = NativeEngine(network, spec, InferenceSpec(width, height), config, variant)
        return lambda image: engine.infer(image, False)[0]
    return Candidate(f'native {variant}', 'cpu', True, load)


def run_all(candidates: list[Candidate], network: Network, spec: ModelSpec, width: int,
            height: int, threads: int, rounds: int) -> dict[str, Measurement]:
    """Measure the candidates that this machine runs; print why others do not run."""
    frames = street_frames(width, height, 4)
    runs: dict[str, Run] = {}
    for candidate in candidates:
        try:
            run = candidate.load(network, spec, width, height, threads)
            warm_up(run, frames[0], 0.2)
        except BadInput as error:
            print(f'left out: {candidate.name}: {error}')
        else:
            runs[candidate.name] = run
    return measure(runs, frames, rounds, 0.25, 4)


def print_table(threads: int, measurements: dict[str, Measurement], gflops: float,
                peaks: dict[str, float]) -> None:
    openvino, eager = (measurements[name] for name in ('openvino cpu float32',
                                                       plain_pytorch().name))
    print(f'\n| {threads} thread{"s" * (threads > 1)} | ms | p95 | x OpenVINO float32 | x eager | '
          'labels = eager | peak |\n|---|---:|---:|---:|---:|---:|---:|')
    for name, each in measurements.items():
        peak = peaks.get(name.removeprefix('native '))
        share = f'{1e3 * gflops / (peak * threads * each.median):.0%}' if peak else '-'
        print(f'| {name} | {each.median:.2f} | {each.p95:.2f} | {each.speedup_over(openvino):.2f} '
              f'| {each.speedup_over(eager):.2f} | {each.agreement(eager):.4%} | {share} |')


def peak_of(variant: str) -> float | None:
    """Return the measured peak of a core on an instruction set, GFLOP/s; None without compiler."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, 'peak')
        command = [os.environ.get('CXX', 'c++'), '-std=c++17', '-O2', *PEAK_FLAGS[variant],
                   str(PEAK_SOURCE), '-o', str(program)]
        try:
            subprocess.run(command, check=True, capture_output=True)
            return float(subprocess.run([program], check=True, capture_output=True).stdout)
        except (OSError, subprocess.CalledProcessError):
            return None


if __name__ == '__main__':
    main()
