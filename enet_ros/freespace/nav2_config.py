"""Costmap parameters of Nav2's semantic_segmentation_layer for the classes of a model.

The layer matches classes by their exact names. It ends its process if it is given no class, and
reports each class of the model that has no cost.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from enet_ros.errors import BadInput
from enet_ros.freespace.config import ClassesConfig
from enet_ros.freespace.surface_classes import DRIVABLE, FLAT, OBSTACLE, SurfaceClasses
from enet_ros.labels import LabelSet
from enet_ros.paths import user_path, write_atomically
from enet_ros.yaml_data import read_yaml


class ClassType(NamedTuple):
    """The costs of a kind of surface.

    base_cost, max_cost: of a cell with one observation, and with samples_to_max_cost of them.
    dominant: whether one observation outweighs those of all other classes.
    """

    surface: int
    base_cost: int
    max_cost: int
    dominant: bool


CLASS_TYPES = {'drivable': ClassType(DRIVABLE, 0, 0, False),
               'flat': ClassType(FLAT, 200, 200, False),
               'obstacle': ClassType(OBSTACLE, 254, 254, True)}
HEAD = """\
# Costs for semantic_segmentation_layer by the classes of {model}.
# Written by: enet nav2-config {model}

local_costmap:
  local_costmap:
    ros__parameters:
      global_frame: odom
      robot_base_frame: base_link
      rolling_window: true
      # Meters. Half of it must reach max_obstacle_distance. Nav2's default of 5, and 3 in
      # nav2_bringup, end before the nearest ground that the camera sees.
      width: 20
      height: 20
      resolution: 0.1
      track_unknown_space: true
      plugins: [semantic_layer, inflation_layer]
      inflation_layer:
        plugin: nav2_costmap_2d::InflationLayer
      semantic_layer:
        plugin: semantic_segmentation_layer::SemanticSegmentationLayer
        enabled: true
{matching}        observation_sources: camera
        camera:
          segmentation_topic: /segmentation_node/label
          confidence_topic: /segmentation_node/confidence
          labels_topic: /segmentation_node/label_info
          pointcloud_topic: {points}
          # Meters from the origin of the base frame.
          max_obstacle_distance: 8.0
          min_obstacle_distance: 0.1
          # Seconds after which an observation is discarded.
          tile_map_decay_time: 2.0
          # Of the pixels in one cell, use the one with the highest cost.
          use_cost_selection: true
          class_types: [{types}]
"""
EXACT_MATCHING = """\
        # Labels, confidence and points of a frame have equal stamps. The approximate matching that
        # is the default on Jazzy and later can combine different frames, up to 100 ms apart.
        # Humble always matches exactly and ignores this.
        use_approximate_time_sync: false
"""
APPROXIMATE_MATCHING = """\
        # The stamps of color and depth images may differ, by up to 100 ms. If your camera gives
        # both the same stamp, set false. Humble ignores this and needs equal stamps.
        use_approximate_time_sync: true
"""
GROUND_POINTS = '/freespace_node/ground_points'
CLASS_TYPE = """\
          {name}:
            classes: [{classes}]
            base_cost: {base_cost}
            max_cost: {max_cost}
            mark_confidence: 0
            samples_to_max_cost: 1
            dominant_priority: {dominant}
"""


def costmap_yaml(model: str, labels: LabelSet, classes: ClassesConfig | None = None,
                 points: str = GROUND_POINTS) -> str:
    """Return the YAML text of the parameters for the classes of a model.

    points: topic with the point of each pixel of the label images; GROUND_POINTS has their stamps,
        the cloud of a depth camera has its own.
    """
    classes = classes or ClassesConfig()
    surfaces = SurfaceClasses(labels, classes.drivable, classes.flat,
                              classes.default_flat).surfaces
    blocks = {}
    for name, class_type in CLASS_TYPES.items():
        members = [label for id_, label in enumerate(labels.names)
                   if surfaces[id_] == class_type.surface]
        if members:  # a type without classes is an error in the layer
            blocks[name] = CLASS_TYPE.format(
                name=name, classes=', '.join(map(_quoted, members)),
                base_cost=class_type.base_cost, max_cost=class_type.max_cost,
                dominant=str(class_type.dominant).lower())
    matching = EXACT_MATCHING if points == GROUND_POINTS else APPROXIMATE_MATCHING
    head = HEAD.format(model=model, matching=matching, points=points, types=', '.join(blocks))
    return head + ''.join(blocks.values())


def write_costmap(path: str, text: str) -> None:
    """Write a new file; raise BadInput if it exists or cannot be written."""
    file = user_path(path)
    if file.exists():
        raise BadInput(f'{path} already exists; remove it, or name another file')
    try:
        write_atomically(file, text.encode())
    except OSError as error:
        raise BadInput(f'cannot write {path}: {error.strerror}; name another file') from error


def check_costmap(path: str, labels: LabelSet) -> list[str]:
    """Return the names of the classes with a cost in a YAML file of costmap parameters.

    Raise BadInput unless each class of the label set has exactly one cost.
    """
    sources = list(_sources(read_yaml(user_path(path))))
    if not sources:
        raise BadInput(f'{path} has no class_types; write the file with enet nav2-config')
    for name, source in sources:
        names = _class_names(f'{path}: {name}', source)
        _compare(f'{path}: {name}', names, labels)
    return names


def _class_names(where: str, source: Mapping) -> list[str]:
    """Return the names of the classes in all class types of an observation source."""
    names: list[str] = []
    for class_type in source['class_types']:
        if not isinstance(class_type, str):
            raise BadInput(f'{where}.class_types has {class_type!r}; each must be a string')
        entry = source.get(class_type)
        classes = entry.get('classes') if isinstance(entry, dict) else None
        if not classes:
            raise BadInput(f'{where}.{class_type} has no classes; name some, or remove it from '
                           'class_types')
        if not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
            raise BadInput(f'{where}.{class_type}.classes is {classes!r}; it must be a list of '
                           "strings, such as ['Road']")
        names += classes
    return names


def _compare(where: str, names: list[str], labels: LabelSet) -> None:
    for name in names:
        if name not in labels.names:
            raise BadInput(f'{where}: class {name!r} is not in label set {labels.name}, which has '
                           f'{", ".join(labels.names)}; names are case-sensitive')
        if names.count(name) > 1:
            raise BadInput(f'{where}: class {name!r} has several costs; keep one')
    missing = [name for name in labels.names if name not in names]
    if missing:
        raise BadInput(f'{where}: no cost for {", ".join(missing)}; add them to one of the '
                       'class_types')


def _sources(tree: Mapping, path: str = '') -> Iterator[tuple[str, Mapping]]:
    """Yield (dotted name, parameters) of each observation source with class types."""
    if isinstance(tree.get('class_types'), list):
        yield path or 'the file', tree
    for name, entry in tree.items():
        if isinstance(entry, dict):
            yield from _sources(entry, f'{path}.{name}' if path else str(name))


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
