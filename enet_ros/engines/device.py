"""What the NVIDIA driver says of this machine."""

import ctypes


def gpu_name():
    """Return the name of the first NVIDIA GPU, or '' where there is none or no driver."""
    try:
        driver = ctypes.CDLL('libcuda.so.1')
    except OSError:
        return ''
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    failed = (driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0)
              or driver.cuDeviceGetName(name, len(name), device))
    return '' if failed else name.value.decode()
