"""Executables of Nav2, for the tests that run against it."""

from pathlib import Path

import pytest
from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from lifecycle_msgs.msg import Transition

CONFIG = Path(__file__).parent.parent / 'config' / 'nav2'


def executable(package, name=None):
    """Return the path of an executable, which has its package's name by default.

    Skip the test without the package.
    """
    try:
        prefix = get_package_prefix(package)
    except PackageNotFoundError:
        pytest.skip(f'needs {package}, which a Nav2 installation has and PyPI does not')
    return f'{prefix}/lib/{package}/{name or package}'


def need_package(name):
    """Skip the test without a package."""
    try:
        get_package_prefix(name)
    except PackageNotFoundError:
        pytest.skip(f'needs {name}')


def bring_up(probe, node):
    """Configure and activate a node of Nav2."""
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        assert probe.change_state(node, transition)


def publish_transform(probe, parent, child):
    """Publish the identity as a latched transform between two frames; return the publisher."""
    from geometry_msgs.msg import TransformStamped
    from nodes import LATCHED
    from tf2_msgs.msg import TFMessage
    transform = TransformStamped(child_frame_id=child)
    transform.header.frame_id = parent
    transform.transform.rotation.w = 1.0
    publisher = probe.node.create_publisher(TFMessage, '/tf_static', LATCHED)
    publisher.publish(TFMessage(transforms=[transform]))
    return publisher
