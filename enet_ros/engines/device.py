"""The devices of this machine: the choice for PyTorch, the GPU and the processor."""

import ctypes
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from enet_ros.config import DEVICES
from enet_ros.errors import BadInput


def torch_device(name: str) -> torch.device:
    """Return the PyTorch device for 'auto', 'cpu' or 'cuda'.

    'auto' selects CUDA if this build of PyTorch sees a GPU. Raise BadInput for unknown names, and
    if CUDA is requested but not available.
    """
    if name not in DEVICES:
        raise BadInput(f'unknown device {name!r}; choose one of {", ".join(DEVICES)}')
    if name == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    if name == 'cuda' and not torch.cuda.is_available():
        raise BadInput('device cuda is requested, but this torch sees no CUDA GPU; install a '
                       'CUDA build of torch and the NVIDIA driver, or choose device cpu')
    return torch.device(name)


def gpu_name() -> str:
    """Return the name of the first NVIDIA GPU, or '' if there is no GPU or no driver.

    The driver is asked directly: PyTorch may be a CPU build where another runtime has CUDA.
    """
    try:
        driver = ctypes.CDLL('libcuda.so.1')
    except OSError:
        return ''
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    failed = (driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0)
              or driver.cuDeviceGetName(name, len(name), device))
    return '' if failed else name.value.decode()


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Processor:
    """The processor's model name, and the names of its features in the system's order."""

    name: str
    features: tuple[str, ...]


def processor() -> Processor:
    """Return this machine's first processor; without /proc/cpuinfo, its architecture alone."""
    fields: dict[str, str] = {}
    try:
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            name, colon, text = line.partition(':')
            if colon:
                fields.setdefault(name.strip(), text.strip())
    except OSError:
        pass  # other systems have no such file
    name = fields.get('model name') or fields.get('Model') or platform.machine()
    return Processor(name, tuple((fields.get('flags') or fields.get('Features') or '').split()))
