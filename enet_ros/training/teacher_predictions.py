"""A teacher's predictions, computed once and kept on disk."""

import hashlib
import json
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from enet_ros.data.frames import LabeledImages
from enet_ros.engines.cache import cache_folder
from enet_ros.errors import BadInput
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
            if json.loads(description.read_bytes()).get('digest') != teacher.digest:
                raise ValueError
        else:
            write_atomically(description, json.dumps(
                {'digest': teacher.digest, 'teacher': teacher.name}).encode())
    except (ValueError, AttributeError) as error:
        raise BadInput(f'{path} holds the predictions of another teacher or mapping; remove it, '
                       'or name another folder with --teacher-cache') from error
    except OSError as error:
        raise BadInput(f'cannot write to {path}: {error.strerror}; name another folder with '
                       '--teacher-cache') from error
    return path


class TeacherPredictions:
    """The predictions for frames by index, float16 (height, width, classes), read from disk.

    A prediction is kept under the digest of its image, so that frames which several data sets or
    runs have in common are predicted once.
    """

    def __init__(self, teacher: Teacher, frames: LabeledImages, folder: Path) -> None:
        self.teacher, self.frames, self.folder = teacher, frames, folder
        self.files: list[Path] = []

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int, /) -> NDArray[np.float16]:
        prediction = self._read(self.files[index])
        if prediction is None:
            raise BadInput(f"the teacher's prediction {self.files[index]} was removed or damaged; "
                           'rerun the command to compute it again')
        return np.array(prediction)

    def compute(self, rank: int, processes: int, progress: bool) -> None:
        """Compute the missing predictions of every `processes`-th frame from `rank` on.

        An interruption loses at most the frame that is being predicted. Raise BadInput where
        `Teacher.predict` does, and if a file cannot be written.
        """
        numbers = range(rank, len(self.frames), processes)
        for index in tqdm(numbers, 'predict by the teacher', unit='frame', leave=False,
                          disable=None if progress else True):
            self._file(index)

    def find_files(self) -> None:
        """List the files by the indices of their frames; compute what other processes did not."""
        self.files = [self._file(index) for index in range(len(self.frames))]

    def _file(self, index: int) -> Path:
        """Return the file of a frame's prediction, which is computed if it is missing."""
        image, _ = self.frames[index]
        digest = hashlib.sha256(repr(image.shape).encode())
        digest.update(image.tobytes())
        file = self.folder / f'{digest.hexdigest()[:24]}.npy'
        if self._read(file) is None:
            data = BytesIO()
            np.save(data, self.teacher.predict(image))
            try:
                write_atomically(file, data.getvalue())
            except OSError as error:
                raise BadInput(f'cannot write {file}: {error.strerror}; free space there, or '
                               'name another folder with --teacher-cache') from error
        return file

    def _read(self, file: Path) -> NDArray[np.float16] | None:
        """Return a prediction that stays on disk, or None if the file is missing or damaged."""
        width, height = self.teacher.size
        try:
            prediction = np.load(file, mmap_mode='r', allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        if (prediction.dtype, prediction.shape) != (np.float16, (height, width,
                                                                  self.teacher.classes)):
            return None
        return prediction
