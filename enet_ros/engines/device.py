"""The devices of this machine: the GPU and the processor."""

import ctypes
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from enet_ros.packages import torch_is_installed

AMD_DRIVER = Path('/dev/kfd')  # of AMD's GPUs, which builds of PyTorch for ROCm use


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


def torch_sees_gpu() -> bool:
    """Return whether PyTorch is installed and can use a GPU.

    PyTorch is not imported where there is no GPU.
    """
    if not torch_is_installed() or not (gpu_name() or AMD_DRIVER.exists()):
        return False
    import torch
    return torch.cuda.is_available()


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
