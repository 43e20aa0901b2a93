"""What a checkpoint is: its metadata, its network stage by stage, and what a frame costs."""

import copy
from dataclasses import asdict, dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from enet_ros.models import checkpoint
from enet_ros.models.cost import cost_of
from enet_ros.models.enet import Bottleneck, ENet


@dataclass(frozen=True)
class Stage:
    """A row of the paper's Table 1: what a stage gives, (channels, height, width), and its cost.

    gflops are 1e9 operations on one frame, two a multiply-add, of the convolutions alone.
    """

    name: str
    kind: str
    output: tuple
    parameters: int
    gflops: float


def describe(path):
    """Return plain data of a checkpoint: file, spec, cost and stages.

    `path` is a file or the name of a shipped model. Raise BadInput where it cannot be used.
    """
    network, spec = checkpoint.load(path)
    file = checkpoint.resolve(path)
    return {
        'model': str(path), 'file': str(file), 'file_bytes': file.stat().st_size,
        **asdict(spec), 'labels': spec.labels.to_dict(),
        'cost': asdict(cost_of(network, spec.width, spec.height)),
        'stages': [asdict(stage) for stage in stages_of(network, spec.width, spec.height)],
    }


def stages_of(network, width, height):
    """Return a network's Stages for images of width x height pixels, in the order of the work."""
    network = copy.deepcopy(network).to('meta').eval()  # shapes alone, no work
    stages = []

    def note(name, kind):
        def after(module, _, output):
            output = output[0] if isinstance(output, tuple) else output
            before = sum(stage.gflops for stage in stages)
            stages.append(Stage(name, kind, tuple(output.shape[1:]),
                                sum(value.numel() for value in module.parameters()),
                                counter.get_total_flops() / 1e9 - before))
        return after

    for name, kind, module in (_enet if isinstance(network, ENet) else _segnet)(network):
        module.register_forward_hook(note(name, kind))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, 3, height, width, device='meta'))
    return stages


def _enet(network):
    """Yield name, kind and module of each stage, named as in the paper."""
    yield 'initial', '', network.initial
    for number, first, kind, others in (
            (1, network.down1, 'downsampling', network.stage1),
            (2, network.down2, 'downsampling', network.stage2),
            (3, None, '', network.stage3),
            (4, network.up4, 'upsampling', network.stage4),
            (5, network.up5, 'upsampling', [network.stage5])):
        if first is not None:
            yield f'bottleneck{number}.0', kind, first
        # The paper's third section is the second without its first bottleneck.
        for place, bottleneck in enumerate(others, start=1):
            yield f'bottleneck{number}.{place}', _kind(bottleneck), bottleneck
    yield 'fullconv', '', network.output


def _kind(bottleneck):
    """Return what sets a bottleneck apart from a regular one, in the paper's words."""
    assert isinstance(bottleneck, Bottleneck)
    main = next(module for module in bottleneck.extension
                if isinstance(module, torch.nn.Conv2d) and module.kernel_size != (1, 1))
    if main.kernel_size[1] == 1:
        return f'asymmetric {main.kernel_size[0]}'
    return f'dilated {main.dilation[0]}' if main.dilation[0] > 1 else ''


def _segnet(network):
    for name, group in (('encoder', network.encoder), ('decoder', network.decoder)):
        for place, stage in enumerate(group, start=1):
            convolutions = sum(isinstance(module, torch.nn.Conv2d) for module in stage)
            many = f'{convolutions} convolutions' if convolutions > 1 else '1 convolution'
            yield f'{name}{place}', f'{many}, then pooling' if name == 'encoder' else (
                f'unpooling, then {many}'), stage
    yield 'classifier', '', network.output


def text(description):
    """Return `describe`'s data as text for a terminal."""
    labels, cost = description['labels'], description['cost']
    width, height = description['width'], description['height']
    facts = {
        'model': description['model'],
        'file': f'{description["file"]}, {description["file_bytes"]:,} bytes',
        'architecture': description['architecture'],
        'options': _plain(description['architecture_options']),
        'input': f'{width}x{height} RGB in [0, 1], mean {_plain(description["mean"])}, std '
                 f'{_plain(description["std"])}',
        'parameters': f'{cost["parameters"]:,}, {cost["fp16_mib"]:.2f} MiB in float16',
        'work': f'{cost["gflops"]:.2f} GFLOPs a frame of {width}x{height}: the convolutions, two '
                'operations a multiply-add',
        'license': description['license'],
    }
    parts = ['\n'.join(f'{name:13} {value}' for name, value in facts.items() if value)]
    classes = [(str(place), each['name'], ' '.join(map(str, each['color'])),
                'drivable' if each['drivable'] else '')
               for place, each in enumerate(labels['classes'])]
    parts.append(f'classes of {labels["name"]}, unlabelled {labels["void_id"]}\n' + _table(
        ('id', 'class', 'RGB', ''), classes, '><<<'))
    stages = [(stage['name'], stage['kind'], 'x'.join(map(str, stage['output'])),
               f'{stage["parameters"]:,}', f'{stage["gflops"]:.3f}')
              for stage in description['stages']]
    parts.append(_table(('stage', '', 'output CxHxW', 'parameters', 'GFLOPs'), stages, '<<>>>'))
    for name in ('training', 'metrics'):
        if description[name]:
            parts.append('\n'.join([name, *_lines(description[name], 1)]))
    return '\n\n'.join(parts)


def _table(titles, rows, sides):
    """Return lines whose columns stand at the `sides` < (left) or > (right)."""
    rows = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return '\n'.join('  '.join(f'{cell:{side}{width}}' for cell, side, width in
                               zip(row, sides, widths)).rstrip() for row in rows)


def _lines(data, depth):
    """Yield nested plain data as indented lines."""
    for name, value in data.items():
        if isinstance(value, dict) and value:
            yield f'{"  " * depth}{name}'
            yield from _lines(value, depth + 1)
        else:
            yield f'{"  " * depth}{name}: {_plain(value)}'


def _plain(value):
    if isinstance(value, dict):
        return ', '.join(f'{name}: {_plain(each)}' for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return ' '.join(map(_plain, value))
    if value is None:
        return '-'
    return f'{value:.4g}' if isinstance(value, float) else str(value)
