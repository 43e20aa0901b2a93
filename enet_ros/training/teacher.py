"""The teacher: a network whose predictions another network learns."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from enet_ros.engines.onnx_session import OnnxSession, open_session
from enet_ros.engines.onnx_types import shape_text
from enet_ros.errors import BadInput, one_line
from enet_ros.images.preprocess import network_input
from enet_ros.labels import LabelSet
from enet_ros.models import checkpoint
from enet_ros.models.network import Network
from enet_ros.paths import user_path
from enet_ros.training.teacher_mapping import TeacherMapping, checkpoint_mapping, read_mapping

PREDICTIONS_VERSION = 1  # of the computation in Teacher.predict


def open_teacher(name: str, mapping: str, labels: LabelSet, size: tuple[int, int],
                 device: torch.device) -> 'Teacher':
    """Open an ONNX file, a checkpoint or a shipped model as the teacher of the classes `labels`.

    mapping: path of the YAML file that maps its classes; by default the one beside an ONNX file
    with its name, and for checkpoints none. size: (width, height) of the predictions in pixels.
    Raise BadInput if the teacher, its mapping or its input cannot be used.
    """
    path = user_path(name)
    if path.suffix != '.onnx':
        path = checkpoint.resolve(name)
        network, spec = checkpoint.load(path)
        teacher_mapping = checkpoint_mapping(spec, labels, name,
                                             user_path(mapping) if mapping else None)
        return Teacher(name, _digest(path), _in_torch(network, teacher_mapping.size, device),
                       teacher_mapping, len(labels), size)
    if not path.is_file():
        raise BadInput(f'teacher {name} does not exist; name an .onnx or .safetensors file')
    mapping_file = user_path(mapping) if mapping else path.with_suffix('.yaml')
    if not mapping_file.is_file():
        raise BadInput(f'the classes of teacher {name} cannot be mapped: {mapping_file} does not '
                       'exist; write it, or name another file with --teacher-mapping')
    teacher_mapping = read_mapping(mapping_file, labels)
    network_of_file = open_session(path.read_bytes(), f'teacher {path}', device.type == 'cuda')
    for input_size in teacher_mapping.sizes:
        _check_input(name, network_of_file, input_size)
    return Teacher(name, _digest(path), network_of_file, teacher_mapping, len(labels), size)


@dataclass(frozen=True)
class Teacher:
    """Predicts the probabilities of the recipe's classes.

    name: as the user wrote it. file_digest: SHA-256 of the teacher's file.
    classes: number of the recipe's classes. size: (width, height) of the predictions in pixels.
    """

    name: str
    file_digest: str
    network: OnnxSession
    mapping: TeacherMapping
    classes: int
    size: tuple[int, int]

    @property
    def digest(self) -> str:
        """Return a SHA-256 of all that the predictions depend on, apart from the image."""
        content = repr((PREDICTIONS_VERSION, self.file_digest, self.mapping, self.classes,
                        self.size))
        return hashlib.sha256(content.encode()).hexdigest()

    def predict(self, image: NDArray[np.uint8]) -> NDArray[np.float16]:
        """Return the probabilities (height, width, classes) for an RGB image (H, W, 3).

        The image has any size. The probabilities of classes that map to the same class are added.
        Classes that map to nothing are left out, so that the sum at a pixel may be less than 1.
        The result is the mean over the mapping's scales and, with flip, the mirror image. Raise
        BadInput if the teacher has another number of classes than its mapping, or predicts values
        that are not finite.
        """
        views = []
        for size in self.mapping.sizes:
            views.append(self._view(image, size))
            if self.mapping.flip:
                mirrored = np.ascontiguousarray(image[:, ::-1])
                views.append(self._view(mirrored, size).flip(3))
        mean = torch.cat(views).mean(0)                                # (classes, height, width)
        return mean.permute(1, 2, 0).clamp(0, 1).numpy().astype(np.float16)

    def _view(self, image: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
        """Return the probabilities (1, classes, height, width) of one run on images of `size`."""
        mapping = self.mapping
        x = mapping.input.array(network_input(image, *size))           # (1, 3, h, w)
        scores = torch.from_numpy(self._scores(x))                     # (1, outputs, h', w')
        if mapping.output == 'logits':
            scores = scores.softmax(1)
        merged = torch.zeros(1, self.classes, *scores.shape[2:])
        for output, target in enumerate(mapping.classes):
            if target is not None:
                merged[:, target] += scores[:, output]
        width, height = self.size
        return F.interpolate(merged, (height, width), mode='bilinear', antialias=True)

    def _scores(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the network's output (1, outputs, h, w) for x (1, 3, h, w), checked."""
        try:
            scores = np.array(self.network.run(x), np.float32)
        except Exception as error:  # each runtime has its own exceptions
            raise BadInput(f'teacher {self.name} fails on an input of shape {x.shape} '
                           f'({one_line(error)}); correct size in its mapping '
                           'or export it again') from error
        outputs = len(self.mapping.classes)
        if scores.ndim != 4 or scores.shape[:2] != (1, outputs):
            raise BadInput(f'teacher {self.name} returns an output of shape {scores.shape}, but '
                           f'its mapping has {outputs} classes, which needs (1, {outputs}, '
                           'height, width); list each output once, in order')
        if not np.isfinite(scores).all():
            raise BadInput(f'teacher {self.name} predicts values that are not finite; check mean '
                           'and std in its mapping, or choose another teacher')
        return scores


def _check_input(name: str, network: OnnxSession, size: tuple[int, int]) -> None:
    """Raise BadInput unless the network takes one float32 image of `size` (width, height)."""
    expected = [1, 3, size[1], size[0]]
    for kind, shape in network.inputs:
        fits = len(shape) == 4 and all(length in (None, wanted)
                                       for length, wanted in zip(shape, expected))
        if len(network.inputs) > 1 or kind != 'float32' or not fits:
            inputs = ' and '.join(f'{kind} {shape_text(shape)}' for kind, shape in network.inputs)
            raise BadInput(f'teacher {name} takes {inputs}; by its mapping it must take float32 '
                           f'{shape_text(expected)} only; correct size or scales in the mapping, '
                           'or export it with that input')


def _in_torch(network: Network, size: tuple[int, int], device: torch.device) -> OnnxSession:
    """Return a network of this package for images of `size` (width, height)."""
    network = network.to(device).eval()

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return network(torch.from_numpy(image).to(device)).float().cpu().numpy()

    return OnnxSession(run, [('float32', [1, 3, size[1], size[0]])])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
