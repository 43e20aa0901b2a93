"""Checks of what a segmentation node publishes for one image."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from enet_ros.images.postprocess import class_mask, colorize
from enet_ros.labels import UNLABELED, LabelSet
from enet_ros.ros.convert import image_to_array
from enet_ros.ros.outputs import mask_topics, segmentation_outputs

CHANNELS = {'mono8': 1, 'bgr8': 3}


def output_encodings(labels: LabelSet) -> dict[str, str]:
    """Return {topic: encoding} of the images that the demo receives for a label set.

    The confidence is left out: computing it would slow down what the demo measures.
    """
    outputs = segmentation_outputs(mask_topics(labels, ()))
    return {topic: output.encoding for topic, output in outputs.items()
            if output.encoding and not output.needs_confidence}


def faults(inputs: dict[str, Any], outputs: dict[str, Any], labels: LabelSet) -> list[str]:
    """Return what is wrong with the outputs for one image, one line each.

    inputs and outputs are messages by topic; `image` is among the inputs. The outputs are those
    of `output_encodings`, `timing`, and `camera_info` if the inputs have it.
    """
    image = inputs['image']
    encodings = output_encodings(labels)
    expected = [*encodings, 'timing', *(['camera_info'] if 'camera_info' in inputs else [])]
    missing = [f'{topic}: missing' for topic in expected if topic not in outputs]
    found = [fault for topic in expected if topic in outputs
             for fault in _form(topic, outputs[topic], image, encodings.get(topic))]
    if missing or found:
        return missing + found
    pixels = {topic: _pixels(outputs[topic]) for topic in encodings}
    found = _content(pixels, image_to_array(image).bgr(), labels)
    if 'camera_info' in inputs and not np.allclose(outputs['camera_info'].k,
                                                   inputs['camera_info'].k):
        found.append("camera_info: K is not the input's, though the size is")
    return found


def _form(topic: str, message: Any, image: Image, encoding: str | None) -> Iterator[str]:
    """Yield what is wrong with a message's header, size and encoding."""
    for field in ('stamp', 'frame_id'):
        if getattr(message.header, field) != getattr(image.header, field):
            yield f"{topic}: {field} is not the input's"
    if topic == 'timing':
        return
    size = message.width, message.height
    if size != (image.width, image.height):
        yield f'{topic}: {size[0]}x{size[1]}, but the input is {image.width}x{image.height}'
    if encoding is None:
        return
    if message.encoding != encoding:
        yield f'{topic}: encoding is {message.encoding!r}, not {encoding!r}'
    row = message.width * CHANNELS[encoding]
    if message.step != row or len(message.data) != row * message.height:
        yield (f'{topic}: step {message.step} and {len(message.data)} bytes, not {row} '
               f'and {row * message.height}')


def _content(pixels: dict[str, NDArray[np.uint8]], image: NDArray[np.uint8],
             labels: LabelSet) -> list[str]:
    """Return what is wrong with the pixels of each picture, compared with the label image."""
    label = pixels['label']
    found = []
    unknown = np.unique(label[(label >= len(labels)) & (label != UNLABELED)])
    if unknown.size:
        found.append(f'label: id {unknown[0]} is not in the label map')
    for class_id, label_class in enumerate(labels.classes):
        topic = f'mask/{label_class.topic_name}'
        if not np.array_equal(pixels[topic], class_mask(label, [class_id])):
            found.append(f'{topic}: is not 255 where label is {class_id} '
                         'and 0 elsewhere')
    if not np.array_equal(pixels['color'], colorize(label, labels.palette()[:, ::-1].copy())):
        found.append("color: is not the label map's colors of label")
    if np.array_equal(pixels['overlay'], image):
        found.append('overlay: is the input image without colors')
    return found


def _pixels(message: Image) -> NDArray[np.uint8]:
    """Return a view on a tightly packed image, (H, W) or (H, W, 3)."""
    shape = (message.height, message.width, CHANNELS[message.encoding])
    pixels = np.frombuffer(message.data, np.uint8).reshape(shape)
    return pixels[..., 0] if shape[2] == 1 else pixels
