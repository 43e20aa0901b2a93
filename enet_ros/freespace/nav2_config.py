"""The costmap parameters of semantic_segmentation_layer for a model's classes.

That layer takes classes by their exact names, ends its process where it is given none, and reports
each class of the model that it was not told of.
"""

from enet_ros.errors import BadInput
from enet_ros.freespace.config import ClassesConfig
from enet_ros.freespace.surface_classes import DRIVABLE, FLAT, OBSTACLE, SurfaceClasses
from enet_ros.paths import user_path
from enet_ros.yaml_data import read_yaml

# Cost of a cell with one observation, and with enough; whether one outdoes all other classes.
KINDS = {'drivable': (DRIVABLE, 0, 0, 'false'), 'flat': (FLAT, 200, 200, 'false'),
         'obstacle': (OBSTACLE, 254, 254, 'true')}
HEAD = """\
# Costs for semantic_segmentation_layer by the classes of {model}.
# Written by: enet nav2-config {model}

local_costmap:
  local_costmap:
    ros__parameters:
      global_frame: odom
      robot_base_frame: base_link
      rolling_window: true
      track_unknown_space: true
      plugins: [semantic_layer, inflation_layer]
      inflation_layer:
        plugin: nav2_costmap_2d::InflationLayer
      semantic_layer:
        plugin: semantic_segmentation_layer::SemanticSegmentationLayer
        enabled: true
        observation_sources: camera
        camera:
          segmentation_topic: /segmentation_node/label
          confidence_topic: /segmentation_node/confidence
          labels_topic: /segmentation_node/label_info
          pointcloud_topic: /freespace_node/ground_points
          # From the base frame's origin, metres.
          max_obstacle_distance: 8.0
          min_obstacle_distance: 0.1
          # Seconds that an observation counts.
          tile_map_decay_time: 2.0
          # Of the pixels in one cell, take that of the highest cost.
          use_cost_selection: true
          class_types: [{types}]
"""
TYPE = """\
          {kind}:
            classes: [{classes}]
            base_cost: {base}
            max_cost: {most}
            mark_confidence: 0
            samples_to_max_cost: 1
            dominant_priority: {dominant}
"""


def costmap_yaml(model, labels, classes=None):
    """Return the YAML text for a model's LabelSet; classes is a ClassesConfig, or None."""
    classes = classes or ClassesConfig()
    kinds = SurfaceClasses(labels, classes.drivable, classes.flat, classes.usual_flat).kinds
    names = {kind: [name for place, name in enumerate(labels.names) if kinds[place] == value]
             for kind, (value, *_) in KINDS.items()}
    names = {kind: known for kind, known in names.items() if known}  # an empty type is an error
    return HEAD.format(model=model, types=', '.join(names)) + ''.join(
        TYPE.format(kind=kind, classes=', '.join(map(_quoted, known)), base=base, most=most,
                    dominant=dominant)
        for kind, known in names.items() for _, base, most, dominant in [KINDS[kind]])


def write_costmap(path, text):
    """Write a new file; raise BadInput where there is one already, or none can be."""
    try:
        with open(user_path(path), 'x') as file:
            file.write(text)
    except FileExistsError as error:
        raise BadInput(f'{path} exists already; remove it, or name another file') from error
    except OSError as error:
        raise BadInput(f'cannot write {path}: {error.strerror}; name another file') from error


def check_costmap(path, labels):
    """Return the class names that a costmap's YAML file gives costs to.

    Raise BadInput where they are not exactly those of the LabelSet, each once.
    """
    sources = list(_sources(read_yaml(user_path(path))))
    if not sources:
        raise BadInput(f'{path} has no class_types; write the file with enet nav2-config')
    for where, source in sources:
        named = []
        for kind in source['class_types']:
            if not isinstance(kind, str):
                raise BadInput(f'{path}: {where}.class_types has {kind!r}; each must be a text')
            entry = source.get(kind)
            classes = entry.get('classes') if isinstance(entry, dict) else None
            if not classes:
                raise BadInput(f'{path}: {where}.{kind} has no classes; name some, or take it out '
                               'of class_types')
            if not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
                raise BadInput(f'{path}: {where}.{kind}.classes is {classes!r}; it must be a list '
                               "of texts, such as ['Road']")
            named += classes
        _compare(f'{path}: {where}', named, labels)
    return named


def _compare(where, named, labels):
    for name in named:
        if name not in labels.names:
            raise BadInput(f'{where}: class {name!r} is none of {labels.name}, which has '
                           f'{", ".join(labels.names)}; upper and lower case count')
        if named.count(name) > 1:
            raise BadInput(f'{where}: class {name!r} stands in several places; leave one')
    missing = [name for name in labels.names if name not in named]
    if missing:
        raise BadInput(f'{where}: no cost for {", ".join(missing)}; add them to one of the '
                       'class_types')


def _sources(tree, where=''):
    """Yield (dotted name, entries) of each observation source with class types."""
    if isinstance(tree.get('class_types'), list):
        yield where or 'the file', tree
    for name, entry in tree.items():
        if isinstance(entry, dict):
            yield from _sources(entry, f'{where}.{name}' if where else str(name))


def _quoted(name):
    return "'" + name.replace("'", "''") + "'"
