"""The input of a teacher, and how its classes map to those of the recipe."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from enet_ros.config import CHANNELS
from enet_ros.errors import BadInput
from enet_ros.labels import LabelSet
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.image_input import ImageInput
from enet_ros.yaml_data import choice, image_size, read_yaml, refuse_unknown, three_numbers

VIEWS = ('scales', 'flip')
ENTRIES = ('size', 'channels', 'mean', 'std', 'output', 'classes', *VIEWS)
OUTPUTS = ('logits', 'probabilities')
SCALED_STEP = 32  # pixels, because networks downsample by powers of two


@dataclass(frozen=True)
class TeacherMapping:
    """What a teacher's input and output mean.

    size: (width, height) of its input in pixels.
    channels: their order, 'rgb' or 'bgr'. mean, std: of the channels in [0, 1].
    output: 'logits', or 'probabilities' if the network ends in a softmax.
    classes: for each output of the teacher the id of the recipe's class, or None.
    scales: factors of `size`, over which predictions are averaged. flip: whether predictions for
    the image and its mirror image are averaged.
    """

    size: tuple[int, int]
    channels: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    output: str
    classes: tuple[int | None, ...]
    scales: tuple[float, ...]
    flip: bool

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Return the (width, height) of each scale; scaled ones are multiples of SCALED_STEP."""
        width, height = (
            [length if scale == 1 else max(1, round(length * scale / SCALED_STEP)) * SCALED_STEP
             for scale in self.scales] for length in self.size)
        return list(zip(width, height))

    @property
    def input(self) -> ImageInput:
        """Return how images become its input."""
        return ImageInput(self.channels, self.mean, self.std)

    @property
    def covered(self) -> list[int]:
        """Return the ids of the recipe's classes that the teacher knows."""
        return sorted({target for target in self.classes if target is not None})


def read_mapping(path: Path, labels: LabelSet) -> TeacherMapping:
    """Return the mapping of an ONNX teacher to the classes `labels` from a YAML file.

    Its entries are: size [width, height]; channels; mean; std; optionally output, scales and flip;
    and classes, which map the name of each output, in order, to the name of a class in `labels` or
    to nothing.
    Raise BadInput, which names the entry, for mistakes.
    """
    data = read_yaml(path)
    if 'name' in data and isinstance(data.get('classes'), list):
        raise BadInput(f'{path} describes the network and does not map its classes; name a YAML '
                       'file that does with --teacher-mapping')
    refuse_unknown(data, ENTRIES, str(path))
    names = _class_names(data.get('classes'), path)
    return TeacherMapping(
        image_size(data.get('size'), path),
        choice(data.get('channels'), CHANNELS, f'{path}: channels'),
        three_numbers(data.get('mean'), f'{path}: mean'),
        three_numbers(data.get('std'), f'{path}: std', above_zero=True),
        choice(data.get('output', 'logits'), OUTPUTS, f'{path}: output'),
        _targets(names.items(), labels, path), *_views(data, path))


def checkpoint_mapping(spec: ModelSpec, labels: LabelSet, teacher: str,
                       path: Path | None) -> TeacherMapping:
    """Return the mapping of a checkpoint of this package to the classes `labels`.

    Without a YAML file the classes of both must have the same names. A YAML file has the entry
    classes and optionally scales and flip. Raise BadInput for mistakes.
    """
    data: dict[str, object] = {}
    if path is None:
        if set(spec.labels.names) != set(labels.names):
            raise BadInput(f'teacher {teacher} has the classes of {spec.labels.name}, which are '
                           f'not those of {labels.name}; name a YAML file that maps them with '
                           '--teacher-mapping')
        pairs = [(name, name) for name in spec.labels.names]
        targets = _targets(pairs, labels, Path(teacher))
    else:
        data = read_yaml(path)
        refuse_unknown(data, ['classes', *VIEWS], f'{path} for a checkpoint')
        names = _class_names(data.get('classes'), path)
        if differing := sorted(set(names) ^ set(spec.labels.names)):
            raise BadInput(f'{path}: classes must list each class of {teacher} once, and '
                           f'{differing[0]!r} is only in one of them')
        targets = _targets([(name, names[name]) for name in spec.labels.names], labels, path)
    return TeacherMapping((spec.width, spec.height), 'rgb', spec.mean, spec.std, 'logits', targets,
                          *_views(data, path or Path(teacher)))


def _class_names(value: object, path: Path) -> dict[str, str | None]:
    """Return the recipe's class of each of the teacher's classes, by name, from a YAML entry."""
    if not isinstance(value, dict) or not value:
        raise BadInput(f'{path}: classes is {value!r}; it must map each class of the teacher, in '
                       "order, to one of the recipe's or to nothing, such as road: Road")
    for name, target in value.items():
        if not isinstance(name, str) or not isinstance(target, (str, type(None))):
            raise BadInput(f'{path}: classes maps {name!r} to {target!r}; both must be text (in '
                           'YAML, quote words like off)')
    return value


def _targets(pairs: Iterable[tuple[str, str | None]], labels: LabelSet,
             path: Path) -> tuple[int | None, ...]:
    """Return the id of the class that each of the teacher's classes maps to."""
    targets = []
    for name, target in pairs:
        if target is not None and target not in labels.names:
            raise BadInput(f'{path}: class {name!r} maps to {target!r}, which is no class of '
                           f'{labels.name}; choose one of {", ".join(labels.names)}, or nothing')
        targets.append(None if target is None else labels.id_of(target))
    if all(target is None for target in targets):
        raise BadInput(f'{path}: no class of the teacher maps to one of {labels.name}; map at '
                       'least two')
    return tuple(targets)


def _views(data: Mapping[str, object], path: Path) -> tuple[tuple[float, ...], bool]:
    """Return the scales and whether to flip, from YAML entries."""
    scales, flip = data.get('scales', [1.0]), data.get('flip', False)
    if not isinstance(flip, bool):
        raise BadInput(f'{path}: flip is {flip!r}; it must be true or false')
    if (isinstance(scales, list) and scales
            and all(type(scale) in (int, float) and 0.25 <= scale <= 4 for scale in scales)):
        return tuple(float(scale) for scale in scales), flip
    raise BadInput(f'{path}: scales is {scales!r}; it must be a list of factors of size from 0.25 '
                   'to 4, such as [0.75, 1, 1.25]')
