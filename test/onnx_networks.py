"""Small ONNX networks of other programs, for tests."""

import warnings

import torch
import yaml
from torch import nn

COLORS = [(128, 64, 128), (70, 70, 70), (220, 20, 60), (0, 0, 142), (107, 142, 35)]
NAMES = ['floor', 'rack', 'person', 'truck', 'plant']
CLASSES = [{'name': name, 'color': list(color), 'drivable': name == 'floor'}
           for name, color in zip(NAMES, COLORS)]
ENTRIES = {'name': 'warehouse', 'classes': CLASSES, 'size': [64, 48], 'channels': 'rgb',
           'mean': [0.5, 0.4, 0.3], 'std': [0.2, 0.25, 0.3], 'output': 'logits'}


class SmallNetwork(nn.Module):
    """Tells five classes apart, at 1 / stride of the resolution.

    output: as in the YAML file; labels is a type of PyTorch for labels. layout: of input and
    output.
    """

    def __init__(self, output='logits', stride=1, layout='NCHW', labels=None, scale=1.0):
        super().__init__()
        self.output, self.layout, self.labels = output, layout, labels
        torch.manual_seed(3)
        self.conv = nn.Conv2d(3, 8, 3, stride, padding=1)
        self.scores = nn.Conv2d(8, len(NAMES), 1)
        with torch.no_grad():
            self.scores.weight *= 8 * scale

    def forward(self, image):
        x = image.float()
        if self.layout == 'NHWC':
            x = x.permute(0, 3, 1, 2)
        scores = self.scores(self.conv(x).relu())
        if self.output == 'probabilities':
            scores = scores.softmax(1)
        if self.output == 'labels':
            return scores.argmax(1).to(self.labels)
        return scores.permute(0, 2, 3, 1) if self.layout == 'NHWC' else scores


def export(module, file, size=(64, 48), dtype=torch.float32, layout='NCHW', opset=17, free=False,
           free_batch=False):
    """Write a module as an ONNX file for images of size (width, height), and return its path."""
    width, height = size
    shape = (1, 3, height, width) if layout == 'NCHW' else (1, height, width, 3)
    axes = {2: 'height', 3: 'width'} if layout == 'NCHW' else {1: 'height', 2: 'width'}
    axes = {**(axes if free else {}), **({0: 'batch'} if free_batch else {})}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter('ignore')
        torch.onnx.export(module.eval(), (torch.zeros(shape, dtype=dtype),), str(file),
                          dynamo=False, opset_version=opset, input_names=['image'],
                          output_names=['prediction'],
                          dynamic_axes={'image': axes, 'prediction': axes} if axes else None)
    return file


def describe(file, **entries):
    """Write the YAML file beside an ONNX file; an entry None is left out. Return its path."""
    path = file.with_suffix('.yaml')
    path.write_text(yaml.safe_dump({name: value for name, value in {**ENTRIES, **entries}.items()
                                    if value is not None}))
    return path


def write_network(folder, **entries):
    """Write a network that predicts logits, and its YAML file; return the path of the network."""
    file = export(SmallNetwork(), folder / 'net.onnx')
    describe(file, **entries)
    return file
