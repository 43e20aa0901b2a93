"""Networks and images for tests of the native engine, and the predictions of PyTorch for them."""

import struct
import subprocess
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from enet_ros.engines.native_weights import native_weights
from enet_ros.labels import LabelClass, LabelSet
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.stored_network import as_stored

SOURCES = Path(__file__).parents[1] / 'enet_ros' / 'native'
DRIVER = Path(__file__).with_name('native_driver.cpp')


def random_model(classes, seed=0, **layout):
    """Return an ENet whose weights, normalizations and slopes are random, and its spec."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    labels = LabelSet('numbers', tuple(LabelClass(f'class{n}', (n, n, n)) for n in range(classes)))
    spec = ModelSpec(labels, width=64, height=48, architecture_options=layout)
    network = spec.build()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.PReLU):  # above one and below zero too
                module.weight.uniform_(-0.3, 1.2, generator=generator)
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.uniform_(-0.5, 0.5, generator=generator)
        for _ in range(3):
            network(torch.randn(4, 3, 64, 96, generator=generator))
    return network.eval(), spec


def images(width, height, seed=0):
    """Return images by name, uint8 (height, width, 3) each."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (max(height // 16, 1), max(width // 16, 1), 3), np.uint8)
    gray = np.full((height, width, 3), 127, np.uint8)
    halves = gray.copy()
    halves[:, width // 2:] = 200, 30, 90
    return {'noise': generator.integers(0, 256, (height, width, 3), np.uint8),
            'smooth': cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC),
            'patches': cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST),
            'black': np.zeros_like(gray), 'white': np.full_like(gray, 255), 'gray': gray,
            'halves': halves}


def logits_of(network, spec, image, inference_spec):
    """Return PyTorch's logits at the output size, float32 (classes, h, w)."""
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (spec.mean, spec.std))
    x = torch.from_numpy(image.transpose(2, 0, 1).copy())[None] / 255
    with torch.inference_mode():
        logits = network((x - mean) / std)
        if not inference_spec.resizes:
            return logits[0].numpy()
        width, height = inference_spec.output_size
        if inference_spec.filter == 'linear':
            return F.interpolate(logits, (height, width), mode='bilinear')[0].numpy()
        columns, rows = inference_spec.nearest_columns_and_rows()
        return logits[0][:, rows][:, :, columns].numpy()


def write_cases(path, cases):
    """Write (network, spec, image, inference_spec, threads) as the driver reads them."""
    with path.open('wb') as file:
        for network, spec, image, inference_spec, threads in cases:
            width, height = inference_spec.output_size
            nearest = inference_spec.nearest_columns_and_rows()
            bilinear = inference_spec.resizes and not nearest
            weights = native_weights(as_stored(network), spec)
            file.write(struct.pack('<7if2i', inference_spec.width, inference_spec.height, width,
                                   height, network.classes, threads, bilinear, spec.temperature,
                                   weights.size, bool(nearest)))
            file.write(weights.tobytes())
            for indices in nearest or ():
                file.write(indices.astype('<i4').tobytes())
            file.write(image.tobytes())


def read_predictions(path, cases):
    """Return (labels, confidence) of each case from the driver's output."""
    data = np.fromfile(path, np.uint8)
    predictions, start = [], 0
    for *_, inference_spec, _ in cases:
        width, height = inference_spec.output_size
        size = width * height
        predictions.append(data[start:start + 2 * size].reshape(2, height, width))
        start += 2 * size
    assert start == data.size
    return predictions


def build_driver(folder, *options):
    """Build the driver with the engine in it, and return its path."""
    def cmake(*arguments):
        result = subprocess.run(['cmake', *arguments], capture_output=True, text=True, timeout=900)
        assert result.returncode == 0, result.stdout + result.stderr

    cmake('-S', SOURCES, '-B', folder, f'-DENET_NATIVE_DRIVER={DRIVER}', *options)
    cmake('--build', folder, '--parallel', '2')
    return folder / 'enet_native_driver'
