"""The native engine for Arm, compiled by a cross compiler and run in an emulator."""

import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch
from native_cases import (
    build_driver,
    images,
    logits_of,
    random_model,
    read_predictions,
    write_cases,
)

from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.models import checkpoint
from enet_ros.synthetic.street import SyntheticStreet

COMPILER, EMULATOR = 'aarch64-linux-gnu-g++', 'qemu-aarch64-static'
missing = [tool for tool in ('cmake', COMPILER, EMULATOR) if not shutil.which(tool)]
pytestmark = pytest.mark.skipif(bool(missing), reason=f'{" and ".join(missing)} not found; '
                                'apt install cmake g++-aarch64-linux-gnu qemu-user-static')


@pytest.fixture(scope='module')
def driver(tmp_path_factory):
    return build_driver(
        tmp_path_factory.mktemp('arm'), f'-DCMAKE_CXX_COMPILER={COMPILER}',
        '-DCMAKE_SYSTEM_NAME=Linux', '-DCMAKE_SYSTEM_PROCESSOR=aarch64',
        '-DCMAKE_EXE_LINKER_FLAGS=-static')


@pytest.fixture(scope='module')
def cases():
    """Return a street with the shipped model first, then random models and sizes."""
    found = [(*checkpoint.load('enet_camvid'), SyntheticStreet(320, 240, seed=3).render(0).image,
              InferenceSpec(320, 240), 2)]
    for threads, size in enumerate(
            [(1, 1), (77, 61, 33, 44), (90, 45, 120, 64, 'linear'), (161, 50)], start=1):
        network, spec = random_model(12, threads)
        found.append((network, replace(spec, temperature=threads / 2),
                      images(*size[:2])['smooth'], InferenceSpec(*size), threads))
    return found


@pytest.fixture(scope='module', params=['neon', 'neon_fp16'])
def predictions(request, driver, cases, tmp_path_factory):
    """Return a variant's name, and its labels and confidence of each case."""
    folder, command = tmp_path_factory.mktemp('run'), [EMULATOR, '-cpu', 'max', driver]
    variants = subprocess.run([*command, 'variants'], capture_output=True, text=True, check=True,
                              timeout=60).stdout.strip().split(',')
    if request.param not in variants:
        pytest.skip(f'{COMPILER} has no _Float16; g++ 13 or newer has')
    write_cases(folder / 'cases', cases)
    subprocess.run([*command, 'run', request.param, folder / 'cases', folder / 'output'],
                   check=True, timeout=600)
    return request.param, read_predictions(folder / 'output', cases)


def test_predictions_are_those_of_the_network(predictions, cases):
    variant, predicted = predictions
    for number, ((labels, confidence), case) in enumerate(zip(predicted, cases)):
        network, spec, image, inference_spec, _ = case
        logits = torch.from_numpy(logits_of(network, spec, image, inference_spec))
        scaled = logits / spec.temperature
        probability, expected = (plane.numpy() for plane in scaled.softmax(0).max(0))
        agreement = (labels == expected).mean()
        error = np.abs(confidence - 255 * probability)
        if variant == 'neon':  # rounding may decide a tie of a max pooling differently
            assert agreement >= 0.9998 and (error < 1).mean() >= 0.9998 and error.max() < 3
        else:  # random models decide less clearly
            assert agreement >= (0.998 if number == 0 else 0.95) and error.mean() < 1
