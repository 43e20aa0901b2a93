"""The files that tell Hydra what label images hold.

Formats: config/label_spaces/*_label_space.yaml and src/common/semantic_color_map.cpp of
https://github.com/MIT-SPARK/Hydra.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from enet_ros.errors import BadInput
from enet_ros.label_space.space import LabelSpace, LabelValue
from enet_ros.labels import topic_name

# Names in lower snake case of classes that are not objects on the ground, or that move.
STRUCTURE = ('sky', 'building', 'wall', 'ceiling', 'door', 'window', 'vegetation', 'blinds',
             'curtain')
DYNAMIC = 'person', 'pedestrian', 'rider', 'bicyclist'
UNLABELED_NAME = 'unlabeled'


@dataclass(frozen=True)
class HydraKinds:
    """Names of the classes or groups of each kind; None selects them by their meaning.

    dynamic: moving ones, which Hydra leaves out of the map. objects: become nodes of the scene
    graph. surfaces: ground of 2-D places.
    """

    dynamic: Sequence[str] | None = None
    objects: Sequence[str] | None = None
    surfaces: Sequence[str] | None = None


def label_space_yaml(space: LabelSpace, kinds: HydraKinds, flat: Iterable[str]) -> str:
    """Return the text of Hydra's label space file; raise BadInput for unknown names.

    flat: names in lower snake case of flat ground that is not drivable.
    """
    flat = set(flat)
    dynamic = _ids(space, kinds.dynamic, [
        value for value in space.values if topic_name(value.name) in DYNAMIC])
    surfaces = _ids(space, kinds.surfaces, [
        value for value in space.values if value.drivable or topic_name(value.name) in flat])
    objects = _ids(space, kinds.objects, [
        value for value in space.values if value.id not in (*dynamic, *surfaces)
        and topic_name(value.name) not in STRUCTURE])
    void = [space.void] if space.void >= 0 else []
    names = {value.id: value.name for value in space.values}
    if void:
        names[space.void] = UNLABELED_NAME
    lines = ['---', f'total_semantic_labels: {max(value.id for value in space.values) + 1}',
             f'dynamic_labels: {dynamic}', f'invalid_labels: {void}',
             f'object_labels: {objects}', f'surface_places_labels: {surfaces}', 'label_names:',
             # JSON strings are YAML strings.
             *(f'  - {{label: {label_id}, name: {json.dumps(names[label_id])}}}'
               for label_id in sorted(names))]
    return '\n'.join(lines) + '\n'


def color_csv(space: LabelSpace) -> str:
    """Return the text of Hydra's color file; raise BadInput if two values have the same color."""
    rows = [(value.name, value.color, value.id) for value in space.values]
    name_of: dict[tuple[int, int, int], str] = {}
    for name, color, _ in rows:
        if name_of.setdefault(color, name) != name:
            raise BadInput(f'{name_of[color]!r} and {name!r} have the same color, '
                           f'{list(color)}, but Hydra tells labels apart by color; give them '
                           'colors with --palette')
        if ',' in name or '"' in name:
            raise BadInput(f'the name {name!r} has a comma or a quotation mark, which Hydra does '
                           'not read; rename it')
    if space.void >= 0 and (0, 0, 0) not in name_of:
        rows.append((UNLABELED_NAME, (0, 0, 0), space.void))
    lines = ['name,red,green,blue,alpha,id',
             *(f'{name},{red},{green},{blue},255,{label_id}'
               for name, (red, green, blue), label_id in rows)]
    return '\n'.join(lines) + '\n'


def _ids(space: LabelSpace, names: Sequence[str] | None,
         default: Iterable[LabelValue]) -> list[int]:
    """Return the sorted ids of named values, or of the default ones if there are no names."""
    if names is None:
        return sorted(value.id for value in default)
    return sorted(value.id for value in space.named(names))
