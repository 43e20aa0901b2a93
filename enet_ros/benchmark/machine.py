"""The machine and the versions that figures belong to."""

import os
import platform
from importlib import metadata
from pathlib import Path

import torch

from enet_ros.benchmark.results import Machine

PACKAGES = ('torch', 'openvino', 'onnxruntime', 'onnxruntime-gpu', 'opencv-python-headless',
            'opencv-python', 'numpy')


def describe_machine() -> Machine:
    """Return the processor, its usable cores, memory, GPU, load and the installed versions."""
    info = _read_fields('/proc/cpuinfo')
    return {
        'processor': info.get('model name') or info.get('Model') or platform.machine(),
        'cores': len(os.sched_getaffinity(0)),
        'amx_bf16': 'amx_bf16' in info.get('flags', '').split(),
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


def _read_fields(path: str) -> dict[str, str]:
    """Return the lines `name : value` of a file as a dict; the first line of each name counts."""
    fields: dict[str, str] = {}
    try:
        for line in Path(path).read_text().splitlines():
            name, colon, text = line.partition(':')
            if colon:
                fields.setdefault(name.strip(), text.strip())
    except OSError:
        pass  # other systems have no such file
    return fields
