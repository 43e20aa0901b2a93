"""Sphinx configuration, also used by rosdoc2."""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent.parent))

project = 'enet_ros'
author = 'enet_ros developers'
extensions = ['sphinx.ext.autodoc', 'myst_parser']
# rosdoc2 adds a page per module; api.md has the public ones.
exclude_patterns = ['_build', 'enet_ros.*', 'enet_ros.rst', 'modules.rst']
html_theme = 'alabaster'
myst_heading_anchors = 3
# rosdoc2 would replace autodoc_mock_imports below.
rosdoc2_settings = {'enable_autodoc': False}
# Links to files of the repository are for readers of the source tree.
suppress_warnings = ['myst.xref_missing']

autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_mock_imports = [
    'ament_index_python', 'builtin_interfaces', 'cv_bridge', 'diagnostic_msgs', 'enet_ros.msg',
    'geometry_msgs', 'launch', 'launch_ros', 'lifecycle_msgs', 'nav_msgs', 'rcl_interfaces',
    'rclpy', 'rosgraph_msgs', 'sensor_msgs', 'std_msgs', 'std_srvs', 'tf2_ros', 'vision_msgs']
FIELD = re.compile(r'([a-z_]\w*(?:, [a-z_]\w*)*): (?=\S)')


def _make_fields(app: Sphinx, what: str, name: str, obj: object, options: object,
                 lines: list[str]) -> None:
    """Make field lists of docstring paragraphs such as `width, height: pixels`."""
    start = 0
    for end in [i for i, line in enumerate(lines) if not line] + [len(lines)]:
        paragraph = lines[start:end]
        if all(line.startswith(' ') or FIELD.match(line) for line in paragraph):
            lines[start:end] = [FIELD.sub(r':\1: ', line, count=1) if FIELD.match(line) else line
                                for line in paragraph]
        start = end + 1


def setup(app: Sphinx) -> None:
    app.connect('autodoc-process-docstring', _make_fields)
