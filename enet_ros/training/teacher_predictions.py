"""A teacher's predictions, computed once and kept on disk."""

import hashlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from enet_ros.data.frames import LabeledImages
from enet_ros.engines.cache import cache_folder
from enet_ros.errors import BadInput
from enet_ros.json_data import json_text, parse_json
from enet_ros.paths import write_atomically
from enet_ros.training.teacher import Teacher


def predictions_folder(teacher: Teacher, folder: str) -> Path:
    """Return the folder of a teacher's predictions below the cache folder, created if missing.

    folder: the cache folder; empty: enet_ros in the user's cache folder. Raise BadInput if it is
    not writable or holds the predictions of another teacher.
    """
    parent = cache_folder(folder)
    if parent is None:
        raise BadInput("a teacher's predictions need a writable folder; name one with "
                       '--teacher-cache')
    path = parent / f'teacher-{teacher.digest[:16]}'
    description = path / 'teacher.json'
    try:
        path.mkdir(exist_ok=True)
        if description.exists():
            found = parse_json(description.read_text())
            if not isinstance(found, dict) or found.get('digest') != teacher.digest:
                raise ValueError
        else:
            write_atomically(description, json_text(
                {'digest': teacher.digest, 'teacher': teacher.name}).encode())
    except ValueError as error:
        raise BadInput(f'{path} holds the predictions of another teacher or mapping; remove it, '
                       'or name another folder with --teacher-cache') from error
    except OSError as error:
        raise BadInput(f'cannot write to {path}: {error.strerror}; name another folder with '
                       '--teacher-cache') from error
    return path


class TeacherPredictions:
    """The predictions for frames by index, float16 (height, width, classes), read from disk.

    files are theirs by index. Nothing here depends on the teacher's runtime, so that the processes
    that prepare samples need none.
    """

    def __init__(self, files: Sequence[Path], shape: tuple[int, int, int]) -> None:
        self.files, self.shape = files, shape

    @property
    def classes(self) -> int:
        """Return the number of classes."""
        return self.shape[2]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int, /) -> NDArray[np.float16]:
        prediction = _read(self.files[index], self.shape)
        if prediction is None:
            raise BadInput(f"the teacher's prediction {self.files[index]} was removed or damaged; "
                           'rerun the command to compute it again')
        return np.array(prediction)


def predict_frames(teacher: Teacher, frames: LabeledImages, folder: Path, progress: bool = False,
                   rank: int = 0, processes: int = 1) -> TeacherPredictions:
    """Compute the predictions that `folder` lacks, and return those for the frames.

    Of several processes, each computes and returns every `processes`-th frame from `rank` on. A
    prediction is kept under the digest of its image, so that frames which several data sets or
    runs have in common are predicted once. An interruption loses at most one. Raise BadInput
    where `Teacher.predict` does, and if a file cannot be written.
    """
    width, height = teacher.size
    shape = height, width, teacher.classes
    files = []
    for index in tqdm(range(rank, len(frames), processes), 'predict by the teacher', unit='frame',
                      leave=False, disable=None if progress else True):
        image, _ = frames[index]
        digest = hashlib.sha256(repr(image.shape).encode())
        digest.update(image.tobytes())
        files.append(folder / f'{digest.hexdigest()[:24]}.npy')
        if _read(files[-1], shape) is None:
            _write(files[-1], teacher.predict(image))
    return TeacherPredictions(files, shape)


def _read(file: Path, shape: tuple[int, int, int]) -> NDArray[np.float16] | None:
    """Return a prediction that stays on disk, or None if the file is missing or damaged."""
    try:
        prediction = np.lib.format.open_memmap(file, mode='r')
    except Exception:  # NumPy's parser of headers raises many types
        return None
    if (prediction.dtype, prediction.shape) != (np.float16, shape):
        return None
    return prediction


def _write(file: Path, prediction: NDArray[np.float16]) -> None:
    data = BytesIO()
    np.save(data, prediction)
    try:
        write_atomically(file, data.getvalue())
    except OSError as error:
        raise BadInput(f'cannot write {file}: {error.strerror}; free space there, or name another '
                       'folder with --teacher-cache') from error
