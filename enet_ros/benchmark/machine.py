"""The machine and the versions that figures belong to."""

import os
import platform
from importlib import metadata
from pathlib import Path

import torch

PACKAGES = ('torch', 'openvino', 'onnxruntime', 'onnxruntime-gpu', 'opencv-python-headless',
            'opencv-python', 'numpy')


def describe_machine():
    """Return plain data: processor, usable cores, AMX, memory, GPU, load and versions."""
    info = _fields('/proc/cpuinfo')
    return {
        'processor': info.get('model name') or info.get('Model') or platform.machine(),
        'cores': len(os.sched_getaffinity(0)),
        'amx_bf16': 'amx_bf16' in info.get('flags', '').split(),
        'memory_gib': round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2 ** 30),
        'gpu': torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        'load': round(os.getloadavg()[0], 2),
        'system': f'{platform.system()} {platform.release().partition("-")[0]}',
        'versions': {'python': platform.python_version(), **_versions()},
    }


def busy(machine):
    """Return whether other programs kept the machine busy when it was described."""
    return machine['load'] > 0.5 * machine['cores']


def _versions():
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _fields(path):
    """Return a file of `name : value` lines as a dict, the first of each name."""
    found = {}
    try:
        for line in Path(path).read_text().splitlines():
            name, colon, text = line.partition(':')
            if colon:
                found.setdefault(name.strip(), text.strip())
    except OSError:
        pass  # another system has no such file
    return found
