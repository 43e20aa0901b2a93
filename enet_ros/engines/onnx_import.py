"""`enet import NET.onnx`: find out what an ONNX network takes and gives, and describe it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enet_ros.config import DTYPES, ModelConfig
from enet_ros.engines.engine import build_engine
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_network_graph import SUM_TOLERANCE
from enet_ros.engines.onnx_session import open_session
from enet_ros.engines.onnx_types import network_inputs, shape_text
from enet_ros.engines.selection import float32_engines
from enet_ros.errors import BadInput, one_line
from enet_ros.images.contact_sheet import contact_sheet
from enet_ros.images.postprocess import colorize, overlay
from enet_ros.images.preprocess import network_input
from enet_ros.label_yaml import label_file_ids, label_set_of
from enet_ros.models.image_input import ImageInput
from enet_ros.models.onnx_network import OnnxNetwork
from enet_ros.models.onnx_spec import OnnxSpec

FREE_SIZE = 640, 480  # (width, height) of images for networks that take any
STRIDES = 1, 2, 4, 8, 16, 32, 64
SMALL = 128  # pixels; images a stride larger are tried
LEAST_SHARE = 0.005  # of the picture, for a class to be listed
ALPHA = 0.5  # of the colors in the picture
Run = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class StatedInput:
    """What the user states of a network's input and output; None is found out.

    Fields are those of ImageInput and OnnxSpec. width and height count for networks that take
    images of any size.
    """

    layout: str | None = None
    channels: str = 'rgb'
    range: int = 1
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    output: str | None = None
    width: int = 0
    height: int = 0
    stride: int | None = None


@dataclass(frozen=True)
class ImportedNetwork:
    """The description of a network, and what it predicts for a picture.

    facts: lines about its input and output. picture: RGB, uint8 (H, W, 3) of the network's size.
    labels, confidence: uint8 (H, W).
    """

    spec: OnnxSpec
    facts: tuple[str, ...]
    picture: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    confidence: NDArray[np.uint8]

    def shares(self) -> str:
        """Return how much of the picture each class covers."""
        counts = np.bincount(self.labels.ravel(), minlength=256) / self.labels.size
        names = self.spec.labels.names
        listed = [index for index in np.argsort(-counts) if counts[index] >= LEAST_SHARE]
        return ', '.join(f'{names[index] if index < len(names) else "no class"} '
                         f'{100 * counts[index]:.0f} %' for index in listed)

    def sheet(self, title: str) -> NDArray[np.uint8]:
        """Return the picture beside its classes, uint8 (H, W, 3) RGB."""
        colors = colorize(self.labels, self.spec.labels.palette())
        return contact_sheet(title, [[
            ('picture', self.picture), ('overlay', overlay(self.picture, colors, ALPHA)),
            ('confidence', self.confidence)]], self.spec.labels)


def import_network(network: OnnxNetwork, label_entries: Mapping[str, object], label_file: Path,
                   stated: StatedInput, image: NDArray[np.uint8]) -> ImportedNetwork:
    """Run an ONNX network on a picture and describe it.

    Found out are layout, dtype, size or stride, and whether it predicts logits, probabilities or
    labels. Raise BadInput if that is impossible or the network is no segmentation network of
    these classes.

    label_entries, label_file: content and path of a YAML file with classes.
    image: RGB, uint8 (H, W, 3) of any size.
    """
    labels = label_set_of(label_entries, label_file)
    ids, void_id = label_file_ids(label_entries, label_file)
    dtype, shape = _input_of(network)
    layout = stated.layout or _layout(network, shape)
    takes = ImageInput(stated.channels, stated.mean, stated.std, stated.range, layout, dtype)
    if dtype == 'uint8':
        if takes != ImageInput(stated.channels, layout=layout, dtype=dtype):
            raise BadInput(f'{network.path} takes bytes, which have no range, mean and std; leave '
                           'out --range, --mean and --std')
        takes = ImageInput(stated.channels, range=255, layout=layout, dtype=dtype)
    session = open_session(network.content, str(network.path))
    width, height, stride = _size(network, session.run, takes, shape, stated)
    picture = network_input(image, width, height)
    prediction = _run(network, session.run, takes.array(picture))
    output = stated.output or _output(network, prediction, layout, len(labels))
    if output != 'labels':
        ids = list(range(len(labels)))
    spec = OnnxSpec(labels, width, height, stride, takes, output, tuple(ids), void_id)
    engine = build_engine(network, spec, InferenceSpec(width, height), ModelConfig(
        engine=float32_engines(network)[0], device='cpu', precision='float32'))
    predicted, confidence = engine.infer(picture, confidence=True)
    assert confidence is not None
    sizes = f'any multiple of {stride}' if stride > 1 else 'any' if stride else 'this one only'
    facts = (f'input: {dtype} {shape_text(shape)}, {layout}; image size {width}x{height}, '
             f'{sizes}',
             f'output: {prediction.dtype.name} {shape_text(prediction.shape)}: {output} of '
             f'{len(labels)} classes')
    return ImportedNetwork(spec, facts, picture, predicted.copy(), confidence.copy())


def _input_of(network: OnnxNetwork) -> tuple[str, list[int | None]]:
    """Return type and shape of the network's input; raise BadInput if it cannot be an image."""
    import onnx
    inputs = network_inputs(onnx.load_model_from_string(network.content))
    if len(inputs) == 1:
        _, dtype, shape = inputs[0]
        if dtype in DTYPES and len(shape) in (0, 4) and (not shape or shape[0] in (None, 1)):
            return dtype, shape or [None] * 4
    found = ' and '.join(f'{dtype} {shape_text(shape)}' for _, dtype, shape in inputs)
    raise BadInput(f'{network.path} takes {found or "no input"}; supported are networks that take '
                   f'one image, {" or ".join(DTYPES)} (1, 3, height, width) or (1, height, width, '
                   '3)')


def _layout(network: OnnxNetwork, shape: list[int | None]) -> str:
    """Return the layout that the shape of an input shows."""
    layouts = [layout for layout, axis in (('NCHW', 1), ('NHWC', 3)) if shape[axis] == 3]
    if len(layouts) == 1:
        return layouts[0]
    raise BadInput(f'the layout of {network.path} cannot be told from its input '
                   f'{shape_text(shape)}; give it with --layout NCHW or NHWC')


def _size(network: OnnxNetwork, run: Run, takes: ImageInput, shape: list[int | None],
          stated: StatedInput) -> tuple[int, int, int]:
    """Return width and height of the images, and the stride, 0 for a fixed size."""
    height, width = shape[2:] if takes.layout == 'NCHW' else shape[1:3]
    if width and height:
        for name, own, wanted in (('width', width, stated.width),
                                  ('height', height, stated.height)):
            if wanted not in (0, own):
                raise BadInput(f'{network.path} takes images of {width}x{height} only, and {name} '
                               f'{wanted} is requested; leave it out, or export the network with '
                               'free sizes')
        if stated.stride:
            raise BadInput(f'{network.path} takes images of {width}x{height} only, which have no '
                           'stride; leave out --stride')
        return width, height, 0
    free = not width and not height
    width, height = width or stated.width or FREE_SIZE[0], height or stated.height or FREE_SIZE[1]
    if not free:
        return width, height, 0
    stride = stated.stride or _stride(network, run, takes)
    if width % stride or height % stride:
        raise BadInput(f'the sides of images for {network.path} are multiples of {stride}; give '
                       'such a size with --width and --height')
    return width, height, stride


def _stride(network: OnnxNetwork, run: Run, takes: ImageInput) -> int:
    """Return the smallest stride with which the network runs."""
    for stride in STRIDES:
        width, height = SMALL + stride, SMALL + 2 * stride
        try:
            _run(network, run, takes.array(np.zeros((height, width, 3), np.uint8)))
        except BadInput:
            continue
        return stride
    raise BadInput(f'{network.path} does not run on small images, so its stride is unknown; give '
                   'it with --stride')


def _run(network: OnnxNetwork, run: Run, x: NDArray[Any]) -> NDArray[Any]:
    try:
        return run(x)
    except Exception as error:  # each runtime has its own exceptions
        raise BadInput(f'{network.path} does not run on an input of shape {shape_text(x.shape)} '
                       f'({one_line(error)}); give another size with --width '
                       'and --height, or export it again') from error


def _output(network: OnnxNetwork, prediction: NDArray[Any], layout: str, count: int) -> str:
    """Return which kind of output a prediction is: 'logits', 'probabilities' or 'labels'."""
    channel = 1 if layout == 'NCHW' else 3
    shape, is_float = prediction.shape, np.issubdtype(prediction.dtype, np.floating)
    if len(shape) == 3 or (len(shape) == 4 and shape[channel] == 1 != count):
        if not is_float or np.array_equal(prediction, np.round(prediction)):
            return 'labels'
    elif len(shape) == 4 and shape[channel] == count and is_float:
        sums = prediction.sum(channel, dtype=np.float64)
        if prediction.min() >= 0 and np.abs(sums - 1).max() <= SUM_TOLERANCE:
            return 'probabilities'
        return 'logits'
    raise BadInput(f'{network.path} gives {prediction.dtype.name} {shape_text(shape)}, which is '
                   f'neither a score for each of the {count} classes at each pixel nor labels; '
                   'list all classes, correct --layout, or name a segmentation network')
