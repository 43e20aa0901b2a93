"""What tests share."""

import pytest
import torch

from enet_ros import checkpoint
from enet_ros.labels import CAMVID

torch.set_num_threads(1)  # the tests' networks are tiny


@pytest.fixture(scope='session', autouse=True)
def cache_folder(tmp_path_factory):
    """Keep what engines build apart from the user's own."""
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
        for _ in range(3):  # normalisation that fits the random weights
            model(torch.randn(2, 3, 48, 64))
    path = tmp_path_factory.mktemp('model') / 'tiny.safetensors'
    checkpoint.save(path, model, spec)
    return path


@pytest.fixture
def probe():
    """Return a node that keeps what it receives."""
    from nodes import Probe
    node = Probe()
    yield node
    node.close()
