"""The description of a model: its metadata, and the stages and cost of its network."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from enet_ros.errors import printable
from enet_ros.models import checkpoint
from enet_ros.models.loading import load_model
from enet_ros.models.onnx_network import OnnxNetwork, describe_content
from enet_ros.models.stored_network import StoredNetwork
from enet_ros.packages import torch_is_installed


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return plain data that describes a model: file, spec and, of checkpoints, cost and stages.

    Without PyTorch, operations are None and there are no stages. `path` is a file or the name of
    a shipped model. Raise BadInput if it cannot be loaded.
    """
    network, spec = load_model(path)
    file = checkpoint.resolve(path)
    facts = {'model': str(path), 'file': str(file), 'file_bytes': file.stat().st_size,
             **asdict(spec), 'labels': spec.labels.to_dict()}
    if isinstance(network, OnnxNetwork):
        return {**facts, **describe_content(network)}
    return {**facts, **_cost(network, spec.width, spec.height)}


def _cost(network: StoredNetwork, width: int, height: int) -> dict[str, Any]:
    """Return cost and stages of a checkpoint's network for an image of width x height pixels."""
    if not torch_is_installed():
        parameters = network.parameters
        return {'cost': {'parameters': parameters, 'gflops': None,
                         'fp16_mib': parameters * 2 / 2 ** 20}, 'stages': []}
    from enet_ros.models.cost import cost_of, stage_costs
    return {'cost': asdict(cost_of(network.module, width, height)),
            'stages': [asdict(stage) for stage in stage_costs(network.module, width, height)]}


def text(description: Mapping[str, Any]) -> str:
    """Return the data of `describe` as text for a terminal."""
    facts = _facts_of_onnx(description) if 'opset' in description else _facts(description)
    facts = {'model': description['model'],
             'file': f'{description["file"]}, {description["file_bytes"]:,} bytes', **facts}
    parts = ['\n'.join(f'{name:13} {value}' for name, value in facts.items() if value)]
    labels = description['labels']
    classes = [(str(class_id), each['name'], ' '.join(map(str, each['color'])),
                'drivable' if each['drivable'] else '')
               for class_id, each in enumerate(labels['classes'])]
    parts.append(f'classes of {labels["name"]}, unlabeled {labels["void_id"]}\n' + _table(
        ('id', 'class', 'RGB', ''), classes, '><<<'))
    if description.get('stages'):
        stages = [(stage['name'], stage['kind'], 'x'.join(map(str, stage['output'])),
                   f'{stage["parameters"]:,}', f'{stage["gflops"]:.3f}')
                  for stage in description['stages']]
        parts.append(_table(('stage', '', 'output CxHxW', 'parameters', 'GFLOPs'), stages,
                            '<<>>>'))
    for name in ('training', 'metrics'):
        if description.get(name):
            parts.append('\n'.join([name, *_indented(description[name], 1)]))
    # The metadata of a model is text of any kind.
    return '\n'.join(map(printable, '\n\n'.join(parts).split('\n')))


def _facts(description: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known of a checkpoint, as text by name."""
    cost, width, height = (description[name] for name in ('cost', 'width', 'height'))
    operations = 'unknown without the package torch; pip install torch'
    if cost['gflops'] is not None:
        operations = (f'{cost["gflops"]:.2f} GFLOPs for an image of {width}x{height}: '
                      'convolutions only, a multiply-add counted as two')
    return {
        'architecture': description['architecture'],
        'options': _inline(description['architecture_options']),
        'input': f'{width}x{height} RGB in [0, 1], mean {_inline(description["mean"])}, std '
                 f'{_inline(description["std"])}',
        'parameters': f'{cost["parameters"]:,}, {cost["fp16_mib"]:.2f} MiB in float16',
        'operations': operations,
        'temperature': f'{description["temperature"]:.4g}: confidence is softmax(logits / '
                       'temperature)',
        'license': description['license'],
    }


def _facts_of_onnx(description: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known of an ONNX network, as text by name."""
    takes, stride = description['input'], description['stride']
    sizes = f'or another multiple of {stride}' if stride else 'only'
    values = f'{takes["channels"]} {takes["dtype"]} {takes["layout"]}'
    if takes['dtype'] == 'float32':
        values += (f' in [0, {takes["range"]}], mean {_inline(takes["mean"])}, std '
                   f'{_inline(takes["std"])}')
    output = f'{description["output"]} of {len(description["labels"]["classes"])} classes'
    if description['output'] == 'logits':
        output += f', temperature {description["temperature"]:.4g}'
    return {
        'input': f'{description["width"]}x{description["height"]} {sizes}, {values}',
        'output': output,
        'parameters': f'{description["parameters"]:,}',
        'operators': f'{description["operators"]:,} of ONNX opset {description["opset"]}',
    }


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
