"""Packages that may be missing, above all PyTorch, which robots can do without."""

from importlib import metadata
from importlib.util import find_spec

from enet_ros.errors import BadInput


def torch_is_installed() -> bool:
    """Return whether PyTorch is installed, without importing it."""
    try:
        spec = find_spec('torch')
    except ImportError:  # of an import hook
        return False
    return spec is not None and bool(spec.submodule_search_locations)  # a stray torch.py is not it


def require_torch(purpose: str) -> None:
    """Raise BadInput if PyTorch, which `purpose` needs, cannot be imported."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise BadInput(f'{purpose} needs the package torch ({error}); pip install torch'
                       ) from error


def package_version(name: str) -> str | None:
    """Return the version of an installed package, None if it is missing; it is not imported."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
