"""Fixtures for several test files."""

import pytest
import torch

from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint

torch.set_num_threads(1)  # the tests' networks are tiny


@pytest.fixture(scope='session', autouse=True)
def cache_folder(tmp_path_factory):
    """Use an empty cache folder instead of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
        yield


@pytest.fixture(scope='session')
def tiny_model(tmp_path_factory):
    """Return the path of a checkpoint with random weights and a small input size."""
    torch.manual_seed(4)
    spec = checkpoint.ModelSpec(CAMVID, width=64, height=48)
    model = spec.build()
    with torch.no_grad():
        for _ in range(3):  # batch statistics that fit the random weights
            model(torch.randn(2, 3, 48, 64))
    path = tmp_path_factory.mktemp('model') / 'tiny.safetensors'
    checkpoint.save(path, model, spec)
    return path


@pytest.fixture
def start_node(tmp_path):
    """Return a function that starts an executable as a process."""
    from nodes import node_process
    running = []

    def start(executable, parameters=None, **kwargs):
        manager = node_process(executable, tmp_path / f'node{len(running)}.log', parameters,
                               **kwargs)
        process = manager.__enter__()
        running.append(manager)
        return process

    yield start
    for manager in running:
        manager.__exit__(None, None, None)


@pytest.fixture
def local_node():
    """Return a function that makes a node of a class in this process."""
    import rclpy
    from nodes import DOMAIN
    context = rclpy.Context()
    context.init(domain_id=DOMAIN)
    made = []

    def make(kind, **options):
        made.append(kind('node', context=context, **options))
        return made[-1]

    yield make
    for node in made:
        node.destroy_node()
    context.try_shutdown()


@pytest.fixture
def start(start_node, tiny_model):
    """Return a function that starts the segmentation node as a process with the tiny model."""
    def start(parameters=None, **kwargs):
        parameters = {'model.path': tiny_model, 'model.device': 'cpu', **(parameters or {})}
        return start_node('segmentation_node', parameters, **kwargs)

    return start


@pytest.fixture
def free_space(start_node, probe):
    """Return a function that starts the free space node and activates it.

    It returns the process and a source of label images that the node hears.
    """
    from label_publisher import NODE, OUTPUTS, PARAMETERS, LabelPublisher

    def active(parameters=None, topics=tuple(OUTPUTS)):
        process = start_node('freespace_node', {**PARAMETERS, **(parameters or {})})
        source = LabelPublisher(probe)
        for topic in topics:
            probe.subscribe(OUTPUTS[topic], topic)
        probe.bring_up(NODE)
        source.wait_for_node()
        source.announce()
        return process, source
    return active


@pytest.fixture
def camera(probe):
    """Return a camera on the input topic of the segmentation node."""
    from camera import Camera
    return Camera(probe)


@pytest.fixture
def probe():
    """Return a node that keeps the messages that it receives."""
    from nodes import Probe
    node = Probe()
    yield node
    node.close()
