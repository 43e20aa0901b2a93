"""ENet semantic segmentation for robots: a ROS 2 package around a ROS-free core."""

from pkgutil import extend_path

__version__ = '0.1.0'

# A colcon install holds the generated messages: a checkout on the path finds them there.
__path__ = extend_path(__path__, __name__)
