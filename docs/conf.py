"""Sphinx configuration, also used by rosdoc2."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

project = 'enet_ros'
author = 'enet_ros developers'
extensions = ['sphinx.ext.autodoc', 'myst_parser']
exclude_patterns = ['_build']
html_theme = 'alabaster'
myst_heading_anchors = 3
# Links to files of the repository are for readers of the source tree.
suppress_warnings = ['myst.xref_missing']

autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_mock_imports = [
    'ament_index_python', 'builtin_interfaces', 'cv_bridge', 'diagnostic_msgs', 'enet_ros.msg',
    'geometry_msgs', 'launch', 'launch_ros', 'lifecycle_msgs', 'nav_msgs', 'rcl_interfaces',
    'rclpy', 'rosgraph_msgs', 'sensor_msgs', 'std_msgs', 'std_srvs', 'tf2_ros', 'vision_msgs']
