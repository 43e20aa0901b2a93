"""The segmentation node and the free space node in one process."""

import cv2

from enet_ros.ros.freespace_node import FreeSpaceNode
from enet_ros.ros.label_stream import INPUTS
from enet_ros.ros.process import run_nodes
from enet_ros.ros.segmentation_node import SegmentationNode


def make_active_freespace_node() -> FreeSpaceNode:
    """Return the free space node, which configures and activates itself.

    Its inputs are the segmentation node's outputs; remappings of the process do not apply to it.
    """
    rules = ['__node:=freespace_node', *(f'{name}:=segmentation_node/{name}' for name in INPUTS)]
    arguments = ['--ros-args', '-p', 'autostart:=true']
    for rule in rules:
        arguments += ['-r', rule]
    return FreeSpaceNode(cli_args=arguments)


def main() -> int:
    cv2.setNumThreads(1)  # OpenCV shares the cores with the network
    return run_nodes(SegmentationNode, make_active_freespace_node)


if __name__ == '__main__':
    main()
