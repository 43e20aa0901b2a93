"""The description of an ONNX network: a YAML file beside it with its classes, input and output."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from enet_ros.config import CHANNELS, DTYPES, LAYOUTS, NETWORK_OUTPUTS, RANGES
from enet_ros.errors import BadInput
from enet_ros.label_yaml import label_file_ids, label_set_of
from enet_ros.labels import UNLABELED, LabelSet
from enet_ros.models.checkpoint import check_temperature
from enet_ros.models.image_input import ImageInput
from enet_ros.paths import write_atomically
from enet_ros.yaml_data import choice, image_size, read_yaml, refuse_unknown, three_numbers

ENTRIES = ('name', 'classes', 'void_id', 'size', 'stride', 'layout', 'channels', 'dtype', 'range',
           'mean', 'std', 'output', 'temperature')
MAX_STRIDE = 1024


@dataclass(frozen=True)
class OnnxSpec:
    """What is known of an ONNX network.

    labels: the classes, in the order of the network's outputs.
    width, height: size of its images, pixels. stride: if it takes other sizes, their sides are
    multiples of it; 0 if it does not. output: 'logits', 'probabilities' or 'labels'. ids, void_id:
    numbers that stand for the classes and for no class in an output of labels. temperature: the
    confidence is softmax(logits / temperature).
    """

    labels: LabelSet
    width: int
    height: int
    stride: int = 0
    input: ImageInput = ImageInput()
    output: str = 'logits'
    ids: tuple[int, ...] = ()
    void_id: int = UNLABELED
    temperature: float = 1.0

    def check_size(self, width: int, height: int) -> None:
        """Raise BadInput for a (width, height) at which the network does not run."""
        if not self.stride and (width, height) != (self.width, self.height):
            raise BadInput(f'the network takes images of {self.width}x{self.height} only, and '
                           f'{width}x{height} is requested; leave width and height at 0, or '
                           'export the network with free sizes and give its stride in the YAML '
                           'file')
        if self.stride and (width % self.stride or height % self.stride):
            nearest = 'x'.join(str(max(1, round(side / self.stride)) * self.stride)
                               for side in (width, height))
            raise BadInput(f'the network takes images whose sides are multiples of {self.stride}, '
                           f'and {width}x{height} is requested; choose for example {nearest}')

    def to_entries(self) -> dict[str, object]:
        """Return the entries of the YAML file."""
        classes: list[dict[str, object]] = [
            {'name': label.name, 'color': list(label.color), 'drivable': label.drivable}
            for label in self.labels.classes]
        if self.ids != tuple(range(len(classes))):
            for entry, class_id in zip(classes, self.ids):
                entry['id'] = class_id
        entries: dict[str, object] = {'name': self.labels.name, 'classes': classes}
        if self.output == 'labels':
            entries['void_id'] = self.void_id
        entries['size'] = [self.width, self.height]
        if self.stride:
            entries['stride'] = self.stride
        entries |= {'layout': self.input.layout, 'channels': self.input.channels,
                    'dtype': self.input.dtype}
        if self.input.dtype == 'float32':
            entries |= {'range': self.input.range, 'mean': list(self.input.mean),
                        'std': list(self.input.std)}
        entries['output'] = self.output
        if self.temperature != 1:
            entries['temperature'] = self.temperature
        return entries


def sidecar(network: Path) -> Path:
    """Return the path of the YAML file that describes an ONNX file."""
    return network.with_suffix('.yaml')


def read_onnx_spec(path: Path) -> OnnxSpec:
    """Read the YAML file that describes an ONNX network.

    Raise BadInput, which names the entry, for mistakes.
    """
    data = read_yaml(path)
    refuse_unknown(data, ENTRIES, str(path))
    output = choice(data.get('output'), NETWORK_OUTPUTS, f'{path}: output')
    labels = label_set_of(data, path)
    ids, void_id = label_file_ids(data, path)
    if output != 'labels' and ids != list(range(len(ids))):
        raise BadInput(f'{path}: the output is {output}, so classes have no ids of their own; '
                       "list them in the order of the network's outputs, without id")
    width, height = image_size(data.get('size'), path)
    stride = _stride(data.get('stride', 0), path)
    spec = OnnxSpec(labels, width, height, stride, _input(data, path), output, tuple(ids), void_id,
                    _temperature(data, output, path))
    try:
        spec.check_size(width, height)
    except BadInput as error:
        raise BadInput(f'{path}: size and stride disagree: {error}') from error
    return spec


def write_onnx_spec(path: Path, spec: OnnxSpec) -> None:
    """Write the YAML file of an ONNX network atomically; raise BadInput if that fails."""
    import yaml
    text = yaml.safe_dump(spec.to_entries(), sort_keys=False, default_flow_style=None, width=99,
                          allow_unicode=True)
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise BadInput(f'cannot write {path}: {error.strerror}; name a file in a folder that '
                       'exists and is writable') from error


def _stride(value: object, path: Path) -> int:
    if type(value) is int and 0 <= value <= MAX_STRIDE:
        return value
    raise BadInput(f'{path}: stride is {value!r}; it must be a number of pixels up to '
                   f'{MAX_STRIDE}, or be left out if the network takes one size only')


def _temperature(data: Mapping[str, object], output: str, path: Path) -> float:
    value = data.get('temperature', 1.0)
    if 'temperature' in data and output != 'logits':
        raise BadInput(f'{path}: temperature needs the output logits, and output is {output}; '
                       'remove it')
    try:
        return check_temperature(value)
    except BadInput as error:
        raise BadInput(f'{path}: {error}') from error


def _input(data: Mapping[str, object], path: Path) -> ImageInput:
    layout = choice(data.get('layout', 'NCHW'), LAYOUTS, f'{path}: layout')
    channels = choice(data.get('channels'), CHANNELS, f'{path}: channels')
    dtype = choice(data.get('dtype', 'float32'), DTYPES, f'{path}: dtype')
    if dtype == 'uint8':
        for name in ('range', 'mean', 'std'):
            if name in data:
                raise BadInput(f'{path}: {name} needs the dtype float32, and dtype is uint8; '
                               'remove it')
        return ImageInput(channels, range=255, layout=layout, dtype=dtype)
    white = data.get('range', 1)
    if type(white) is not int or white not in RANGES:
        raise BadInput(f'{path}: range is {white!r}; it must be the value of white, 1 or 255')
    return ImageInput(channels, three_numbers(data.get('mean'), f'{path}: mean'),
                      three_numbers(data.get('std'), f'{path}: std', above_zero=True), white,
                      layout, dtype)
