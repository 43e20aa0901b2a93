"""A publisher of the inputs of the semantic cloud node, for its tests."""

import numpy as np
from label_publisher import KINDS, LabelPublisher
from scenes import BOX
from sensor_msgs.msg import Image, LaserScan, PointCloud2
from std_msgs.msg import Header

from enet_ros.ros.convert import array_to_image

NODE = '/semantic_cloud_node'
POINTS, OBSTACLES, SCAN = (f'{NODE}/{topic}' for topic in ('points', 'obstacles', 'scan'))
OUTPUTS = {POINTS: PointCloud2, OBSTACLES: PointCloud2, SCAN: LaserScan}
SIZE = WIDTH, HEIGHT = 160, 120
PARAMETERS = {'camera.z': 1.0}  # looks ahead
DISTANCE = 4.0  # meters from the camera to the wall that fills the image
TOPICS = 'label', 'camera_info', 'label_map', 'depth'


class DepthPublisher(LabelPublisher):
    """Publishes label and depth images of a wall, and the other inputs of the node."""

    def __init__(self, probe, topics=TOPICS):
        KINDS['depth'] = Image, 1
        super().__init__(probe, topics)
        self.labels = np.full((HEIGHT, WIDTH), BOX, np.uint8)

    def frame(self, labels=None, age=0.0, depth=None, encoding='32FC1', delay=0.0):
        """Return the messages of a frame; the stamp of the depth is `delay` seconds later."""
        messages = super().frame(labels, age)
        header = messages['label'].header
        late = Header(frame_id=header.frame_id)
        nanoseconds = header.stamp.sec * 10**9 + header.stamp.nanosec + round(delay * 1e9)
        late.stamp.sec, late.stamp.nanosec = divmod(nanoseconds, 10**9)
        depth = np.full((HEIGHT, WIDTH), DISTANCE, np.float32) if depth is None else depth
        return {**messages, 'depth': array_to_image(depth, encoding, late)}
