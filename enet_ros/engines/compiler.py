"""Compilation with torch.compile."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from enet_ros.errors import BadInput

_compiling = threading.Lock()  # compiler settings belong to the whole process


class CompiledModule:
    """A module that is compiled for the shapes of its first call.

    cache_folder: folder that keeps the generated code for later starts, or None.
    """

    def __init__(self, module: torch.nn.Module, cache_folder: Path | None) -> None:
        self._module = module
        self._cache_folder = cache_folder
        self._compiled: Callable[..., Sequence[torch.Tensor]] | None = None

    def __call__(self, image: torch.Tensor) -> Sequence[torch.Tensor]:
        if self._compiled is not None:
            return self._compiled(image)
        with _compiling, inference_settings(self._cache_folder):
            compiled = torch.compile(self._module, dynamic=False)
            result = compiled(image)  # compilation happens here
        self._compiled = compiled
        return result


@contextmanager
def inference_settings(cache_folder: Path | None) -> Iterator[None]:
    """Within a block, let the compiler treat weights as constants and keep code in a folder."""
    import torch._inductor.config as config

    variable = 'TORCHINDUCTOR_CACHE_DIR'
    previous = os.environ.get(variable)
    if cache_folder:
        os.environ[variable] = str(cache_folder / 'inductor')
    try:
        # As an option of torch.compile, freezing would leave convolutions unfused.
        with config.patch(freezing=True):
            yield
    finally:
        if previous is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = previous


def require_compiler() -> None:
    """Raise BadInput if the C++ compiler that torch.compile calls is missing."""
    compiler = os.environ.get('CXX', 'g++')
    if not shutil.which(compiler):
        raise BadInput(f'compilation needs a C++ compiler, and {compiler!r} is not found; install '
                       'g++, set CXX to another compiler, or disable compilation (--no-compile, '
                       'in ROS model.compile: false)')
