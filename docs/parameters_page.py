"""Write docs/parameters.md from the configuration classes.

usage: parameters_page.py [--check]

With --check nothing is written; the exit code is 1 if the page is not up to date.
"""

import sys
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from enet_ros.config import ReplayConfig, SegmentationConfig
from enet_ros.freespace.config import FreeSpaceNodeConfig
from enet_ros.pointcloud.config import SemanticCloudConfig

PAGE = Path(__file__).with_name('parameters.md')
NODES = {'segmentation_node': SegmentationConfig, 'freespace_node': FreeSpaceNodeConfig,
         'semantic_cloud_node': SemanticCloudConfig, 'replay_node': ReplayConfig}
HEAD = """\
# Parameters

All parameters of the four nodes with their defaults. `config/enet.yaml` has the same ones, ready
to be copied and changed; give the copy to the launch files with `params_file:=`.

Column "changes": *live* parameters take effect with the next frame; those marked *reload* take
effect with the next call of `~/reload`; *start* parameters are read once, when the node starts;
all others can change while the node is not configured. A value outside its range is rejected with
the reason.

All nodes but replay_node also have `autostart`, a *start* parameter that is `false` by default: it
makes a node configure and activate itself when it starts. The launch files set it.
"""


def page() -> str:
    """Return the text of the page."""
    parts = [HEAD]
    for node, config in NODES.items():
        parts.append(f'## {node}\n\n| parameter | default | allowed | changes | description |\n'
                     '|---|---|---|---|---|')
        parts[-1] += ''.join('\n' + _row(name, item) for name, item in _leaves(config)) + '\n'
    return '\n'.join(parts)


def _leaves(config: type, prefix: str = '') -> Iterator[tuple[str, Field[Any]]]:
    for item in fields(config):
        if isinstance(item.type, type) and is_dataclass(item.type):
            yield from _leaves(item.type, f'{prefix}{item.name}.')
        else:
            yield prefix + item.name, item


def _row(name: str, item: Field[Any]) -> str:
    rules = item.metadata
    default = "['']" if item.default == () else item.default
    if isinstance(default, bool):
        default = str(default).lower()
    elif isinstance(default, tuple):
        default = list(default)
    allowed = ''
    if 'choices' in rules:
        allowed = ', '.join(f'`{choice}`' for choice in rules['choices'])
    elif 'minimum' in rules:
        allowed = f'{rules["minimum"]:g} to {rules["maximum"]:g}' if 'maximum' in rules else (
            f'{rules["minimum"]:g} or more')
    changes = ('live' if rules.get('live') else 'reload' if rules.get('reloaded')
               else 'start' if rules.get('read_only') else '')
    description = rules['description'].replace('|', '\\|')
    shown = f'`{default}`' if default != '' else 'empty'
    return f'| `{name}` | {shown} | {allowed} | {changes} | {description} |'


def main(arguments: list[str]) -> int:
    if arguments == ['--check']:
        if PAGE.read_text() == page():
            return 0
        print(f'{PAGE} is out of date; run docs/parameters_page.py', file=sys.stderr)
        return 1
    PAGE.write_text(page())
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
