"""The choice of the device for PyTorch."""

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
