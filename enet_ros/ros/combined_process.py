"""The segmentation node and the free space node in one process."""

import cv2
from rclpy.lifecycle import TransitionCallbackReturn

from enet_ros.ros.freespace_node import FreeSpaceNode
from enet_ros.ros.segmentation_node import SegmentationNode
from enet_ros.ros.spin import spin

INPUTS = 'label', 'confidence', 'camera_info', 'label_map'


def free_space_node():
    """Return the free space node, active where its parameters allow it.

    What the process is told of names is for the segmentation node.
    """
    rules = ['__node:=freespace_node', *(f'{name}:=segmentation_node/{name}' for name in INPUTS)]
    node = FreeSpaceNode(cli_args=['--ros-args', *(part for rule in rules
                                                   for part in ('-r', rule))])
    if node.trigger_configure() == TransitionCallbackReturn.SUCCESS:
        node.trigger_activate()
    return node


def main():
    cv2.setNumThreads(1)
    return spin(SegmentationNode, free_space_node)


if __name__ == '__main__':
    main()
