"""The file from which an interrupted training run resumes."""

from io import BytesIO
from pathlib import Path
from typing import Any, TypedDict

import torch

from enet_ros.errors import BadInput
from enet_ros.paths import write_atomically
from enet_ros.training.training_log import LogState

FORMAT_VERSION = 3


class RunState(TypedDict):
    """The content of a state file.

    settings is what the result of the run depends on, best_score the highest mean IoU so far,
    trainer and log are the state_dict of the Trainer and of the TrainingLog.
    """

    format_version: int
    settings: dict[str, Any]
    best_score: float
    trainer: dict[str, Any]
    log: LogState


def write_state(path: Path, state: RunState) -> None:
    """Replace a state file in one step; raise BadInput if it cannot be written."""
    data = BytesIO()
    torch.save(state, data)
    try:
        write_atomically(path, data.getvalue())
    except OSError as error:
        raise BadInput(f'cannot write {path}: {error.strerror}; fix that and rerun the command to '
                       'resume from the last state that was written') from error


def read_state(path: Path, settings: dict[str, Any], device: torch.device) -> RunState | None:
    """Return the state of a run with these settings, or None if the file does not exist.

    Tensors are loaded to `device`. Raise BadInput if the file cannot be read, was written by
    another version of enet_ros, or belongs to a run with other settings.
    """
    if not path.exists():
        return None
    try:
        data = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many types for damaged files
        raise BadInput(f'{path} cannot be read as the state of a run ({type(error).__name__}); '
                       'remove it, or choose another --out') from error
    if not _is_current(data):
        raise BadInput(f'{path} was written by another version of enet_ros; finish the run with '
                       'that version, or choose another --out')
    state: RunState = data
    saved = state['settings']
    if different := [name for name in {**settings, **saved}
                     if saved.get(name) != settings.get(name)]:
        raise BadInput(f'{path} belongs to a run with other settings ({", ".join(different)}); '
                       'use the same settings, or choose another --out')
    return state


def _is_current(data: object) -> bool:
    if not isinstance(data, dict) or not RunState.__annotations__.keys() <= data.keys():
        return False
    version, settings = data['format_version'], data['settings']
    return type(version) is int and version == FORMAT_VERSION and isinstance(settings, dict)
