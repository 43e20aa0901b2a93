"""ENet semantic segmentation for robots: a ROS 2 package around a ROS-free core."""

__version__ = '0.1.0'
