"""The machine and the versions that figures belong to."""

import os
import platform
from importlib import metadata

import torch

from enet_ros.benchmark.results import Machine
from enet_ros.engines.device import processor, usable_cores

PACKAGES = ('torch', 'openvino', 'onnxruntime', 'onnxruntime-gpu', 'opencv-python-headless',
            'opencv-python', 'numpy')


def describe_machine() -> Machine:
    """Return the processor, its usable cores, memory, GPU, load and the installed versions."""
    cpu = processor()
    return {
        'processor': cpu.name,
        'cores': usable_cores(),
        'amx_bf16': 'amx_bf16' in cpu.features,
        'memory_gib': round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2 ** 30),
        'gpu': torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        'load': round(os.getloadavg()[0], 2),
        'system': f'{platform.system()} {platform.release().partition("-")[0]}',
        'versions': {'python': platform.python_version(), **_installed_versions()},
    }


def is_busy(machine: Machine) -> bool:
    """Return whether other programs used much of the machine when it was described."""
    return machine['load'] > 0.5 * machine['cores']


def _installed_versions() -> dict[str, str]:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
