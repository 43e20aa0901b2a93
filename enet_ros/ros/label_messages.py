"""Messages that say what the ids in label images mean."""

import re

from std_msgs.msg import ColorRGBA, Header

from enet_ros.errors import BadInput
from enet_ros.labels import UNLABELED, LabelClass, LabelSet
from enet_ros.msg import ClassInfo, LabelMap


def masks_of(labels, names):
    """Return {topic name: class id} of the classes that get a mask; all where `names` is empty."""
    masks = {}
    for name in names or labels.names:
        class_id = labels.id_of(name)
        topic = labels.classes[class_id].topic_name
        if not re.match('[a-z]', topic):
            raise BadInput(f'output.classes: {name!r} would be published as mask/{topic}, and the '
                           'names of topics begin with a letter from a to z; leave it out, or '
                           "rename it in the model's label set")
        if topic in masks:
            raise BadInput(f'output.classes: {name!r} and {labels.names[masks[topic]]!r} would '
                           f'both be published as mask/{topic}; leave one out')
        masks[topic] = class_id
    return masks


def label_map(labels, model, stamp):
    """Return the LabelMap message of a model's label set."""
    message = LabelMap(header=Header(stamp=stamp), model=model, unlabelled_id=UNLABELED)
    for class_id, label in enumerate(labels.classes):
        red, green, blue = (channel / 255 for channel in label.color)
        message.classes.append(ClassInfo(
            id=class_id, name=label.name, drivable=label.drivable,
            color=ColorRGBA(r=red, g=green, b=blue, a=1.0)))
    return message


def label_set(label_map):
    """Return the LabelSet that an enet_ros/LabelMap message describes; raise BadInput."""
    for place, info in enumerate(label_map.classes):
        if info.id != place:
            raise BadInput(f'label_map: class {info.name!r} in place {place} has id {info.id}; '
                           'classes must stand in order of their ids')
    if label_map.unlabelled_id != UNLABELED:
        raise BadInput(f'label_map: unlabelled_id is {label_map.unlabelled_id}; it must be '
                       f'{UNLABELED}')
    return LabelSet(label_map.model, tuple(
        LabelClass(info.name, tuple(round(255 * part) for part in
                                    (info.color.r, info.color.g, info.color.b)), info.drivable)
        for info in label_map.classes))


def label_info_type():
    """Return vision_msgs/LabelInfo, or None where vision_msgs is not installed."""
    try:
        from vision_msgs.msg import LabelInfo
    except ImportError:
        return None
    return LabelInfo


def label_info(labels, threshold, stamp):
    """Return the vision_msgs/LabelInfo message of a label set and a confidence threshold."""
    from vision_msgs.msg import LabelInfo, VisionClass
    return LabelInfo(
        header=Header(stamp=stamp), threshold=threshold,
        class_map=[VisionClass(class_id=class_id, class_name=name)
                   for class_id, name in enumerate(labels.names)])
