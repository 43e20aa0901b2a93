"""A camera whose images are segmented."""

from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from enet_ros.errors import BadInput
from enet_ros.msg import FrameTiming
from enet_ros.ros import qos
from enet_ros.ros.compressed import compressed_to_array
from enet_ros.ros.convert import image_to_array, seen_size
from enet_ros.ros.stream import Arrival, Stream

ASPECT_TOLERANCE = 0.01


class CameraStream(Stream):
    """Receives a camera's images and publishes what is made of them.

    masks are the topic names of the classes that get one. `arrived(stream, arrival)` is called
    with each image.
    """

    def __init__(self, node, name, masks, clock, arrived):
        types = {'label': Image, 'confidence': Image, **{f'mask/{mask}': Image for mask in masks},
                 'camera_info': CameraInfo, 'color': Image, 'overlay': Image,
                 'overlay/compressed': CompressedImage, 'timing': FrameTiming}
        super().__init__(node, name, clock, 'image',
                         {topic: (kind, qos.RESULT) for topic, kind in types.items()})
        self.arrived = arrived
        self.camera_info = None

    def open(self, transport):
        """Start to receive images, raw or compressed."""
        self.camera_info = None
        self.statistics.restart()
        kind, topic, self.to_frame = Image, f'{self._prefix}image', image_to_array
        if transport == 'compressed':
            kind, self.to_frame = CompressedImage, compressed_to_array
            # Beside the images, wherever these are remapped to.
            topic = f'{self.node.resolve_topic_name(topic)}/compressed'
        self._listen(CameraInfo, f'{self._prefix}camera_info', self._keep_info)
        self.topic = self._listen(kind, topic, self._keep_image)

    def fitting_info(self, width, height):
        """Return the newest CameraInfo, or None where it does not fit images of a size; warn."""
        info = self.camera_info
        fault = info_fault(info, width, height) if info else ''
        self.statistics.warn('camera_info', fault)
        return None if fault else info

    def _keep_info(self, message):
        self.camera_info = message

    def _keep_image(self, message):
        self.statistics.received()
        age = self._age(message.header)
        self.arrived(self, Arrival(message, self.node.parameters.read(), self.clock(), age))


def info_fault(info, width, height):
    """Return why a CameraInfo does not fit images of a size, or ''."""
    try:
        across, down = seen_size(info)
    except BadInput as error:
        return str(error)
    # More than one sensor pixel in one of the image's, which need not be square.
    across, down = across // max(info.binning_x, 1), down // max(info.binning_y, 1)
    if abs(across * height - down * width) > ASPECT_TOLERANCE * down * width:
        return (f'camera_info is of {across}x{down} pixels and the images of {width}x{height} '
                'have another shape; calibrate the camera at the size that it sends')
    return ''
