"""The description of a checkpoint: its metadata, and the stages and cost of its network."""

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from enet_ros.models import checkpoint
from enet_ros.models.cost import cost_of
from enet_ros.models.network import Network


@dataclass(frozen=True)
class StageCost:
    """A stage of a network with its output shape, (channels, height, width), and its cost.

    gflops: 1e9 operations of the convolutions for one image, a multiply-add counted as two.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    gflops: float


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return plain data that describes a checkpoint: file, spec, cost and stages.

    `path` is a file or the name of a shipped model. Raise BadInput if it cannot be loaded.
    """
    network, spec = checkpoint.load(path)
    file = checkpoint.resolve(path)
    return {
        'model': str(path), 'file': str(file), 'file_bytes': file.stat().st_size,
        **asdict(spec), 'labels': spec.labels.to_dict(),
        'cost': asdict(cost_of(network, spec.width, spec.height)),
        'stages': [asdict(stage) for stage in stage_costs(network, spec.width, spec.height)],
    }


def stage_costs(network: Network, width: int, height: int) -> list[StageCost]:
    """Return the stages of a network in order, for an image of width x height pixels."""
    network = copy.deepcopy(network).to('meta').eval()  # propagates only shapes
    costs: list[StageCost] = []
    with FlopCounterMode(display=False) as counter, torch.no_grad():

        def record(name: str, kind: str, module: nn.Module, result: Tensor | tuple[Tensor, ...]
                   ) -> None:
            output = result[0] if isinstance(result, tuple) else result
            counted = sum(cost.gflops for cost in costs)
            costs.append(StageCost(name, kind, tuple(output.shape[1:]),
                                   sum(value.numel() for value in module.parameters()),
                                   counter.get_total_flops() / 1e9 - counted))

        for stage in network.stages():
            stage.module.register_forward_hook(
                lambda module, _, result, stage=stage: record(stage.name, stage.kind, module,
                                                              result))
        network(torch.empty(1, 3, height, width, device='meta'))
    return costs


def text(description: Mapping[str, Any]) -> str:
    """Return the data of `describe` as text for a terminal."""
    labels, cost = description['labels'], description['cost']
    width, height = description['width'], description['height']
    facts = {
        'model': description['model'],
        'file': f'{description["file"]}, {description["file_bytes"]:,} bytes',
        'architecture': description['architecture'],
        'options': _inline(description['architecture_options']),
        'input': f'{width}x{height} RGB in [0, 1], mean {_inline(description["mean"])}, std '
                 f'{_inline(description["std"])}',
        'parameters': f'{cost["parameters"]:,}, {cost["fp16_mib"]:.2f} MiB in float16',
        'operations': f'{cost["gflops"]:.2f} GFLOPs for an image of {width}x{height}: '
                      'convolutions only, a multiply-add counted as two',
        'temperature': f'{description["temperature"]:.4g}: confidence is softmax(logits / '
                       'temperature)',
        'license': description['license'],
    }
    parts = ['\n'.join(f'{name:13} {value}' for name, value in facts.items() if value)]
    classes = [(str(class_id), each['name'], ' '.join(map(str, each['color'])),
                'drivable' if each['drivable'] else '')
               for class_id, each in enumerate(labels['classes'])]
    parts.append(f'classes of {labels["name"]}, unlabeled {labels["void_id"]}\n' + _table(
        ('id', 'class', 'RGB', ''), classes, '><<<'))
    stages = [(stage['name'], stage['kind'], 'x'.join(map(str, stage['output'])),
               f'{stage["parameters"]:,}', f'{stage["gflops"]:.3f}')
              for stage in description['stages']]
    parts.append(_table(('stage', '', 'output CxHxW', 'parameters', 'GFLOPs'), stages, '<<>>>'))
    for name in ('training', 'metrics'):
        if description[name]:
            parts.append('\n'.join([name, *_indented(description[name], 1)]))
    return '\n\n'.join(parts)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], alignments: str) -> str:
    """Return a table as lines of text; each column is aligned < (left) or > (right)."""
    rows = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return '\n'.join('  '.join(f'{cell:{alignment}{width}}' for cell, alignment, width in
                               zip(row, alignments, widths)).rstrip() for row in rows)


def _indented(data: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Yield nested plain data as lines, indented by depth."""
    for name, value in data.items():
        if isinstance(value, dict) and value:
            yield f'{"  " * depth}{name}'
            yield from _indented(value, depth + 1)
        else:
            yield f'{"  " * depth}{name}: {_inline(value)}'


def _inline(value: object) -> str:
    """Return plain data in one line."""
    if isinstance(value, dict):
        return ', '.join(f'{name}: {_inline(each)}' for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return ' '.join(map(_inline, value))
    if value is None:
        return '-'
    return f'{value:.4g}' if isinstance(value, float) else str(value)
