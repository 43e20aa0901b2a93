"""Every engine gives the network's own answer."""

import numpy as np
import pytest
import torch

from enet_ros.checkpoint import ModelSpec
from enet_ros.engines.engine import choose_engine
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID

SPEC = ModelSpec(CAMVID, width=64, height=48)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no CUDA GPU')
ENGINES = [pytest.param('torch', 'cpu', id='torch-cpu'),
           pytest.param('torch', 'cuda', id='torch-cuda', marks=needs_gpu)]


@pytest.fixture(scope='module')
def model():
    """Return a network whose normalisation layers are not the identity."""
    torch.manual_seed(5)
    network = SPEC.build()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(4, 3, 64, 96))
    return network.eval()


def reference(model, image):
    """Return labels and top probability as the network itself gives them."""
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (SPEC.mean, SPEC.std))
    x = torch.from_numpy(image.transpose(2, 0, 1).copy())[None] / 255
    with torch.inference_mode():
        probability, labels = model((x - mean) / std).softmax(1)[0].max(0)
    return labels.numpy(), probability.numpy()


@pytest.mark.parametrize('engine, device', ENGINES)
@pytest.mark.parametrize('width, height', [(64, 48), (75, 61), (8, 8)])
def test_labels_and_confidence(model, engine, device, width, height):
    image = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    labels, confidence = choose_engine(model, SPEC, engine, device).infer(image, confidence=True)
    expected_labels, probability = reference(model, image)
    assert labels.dtype == confidence.dtype == np.uint8
    assert labels.shape == confidence.shape == (height, width)
    assert (labels == expected_labels).mean() > 0.999
    assert np.abs(confidence - 255 * probability).max() < 1


@pytest.mark.parametrize('engine, device', ENGINES)
def test_confidence_only_where_asked_for(model, engine, device):
    image = np.zeros((48, 64, 3), np.uint8)
    assert choose_engine(model, SPEC, engine, device).infer(image, confidence=False)[1] is None


@pytest.mark.parametrize('engine, device', ENGINES)
def test_the_model_is_left_as_it_was(model, engine, device):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    choose_engine(model, SPEC, engine, device)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_name_says_what_runs(model):
    assert choose_engine(model, SPEC, 'auto', 'cpu').name == 'torch cpu float32'


@pytest.mark.parametrize('engine, device, complaint', [
    ('magic', 'auto', "unknown engine 'magic'; choose one of auto, torch"),
    ('torch', 'tpu', "unknown device 'tpu'; choose one of auto, cpu, cuda"),
])
def test_unknown_engines_and_devices(model, engine, device, complaint):
    with pytest.raises(BadInput, match=complaint):
        choose_engine(model, SPEC, engine, device)


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a CUDA GPU')
def test_an_absent_gpu_is_not_replaced_silently(model):
    with pytest.raises(BadInput, match='sees no CUDA GPU; install'):
        choose_engine(model, SPEC, 'torch', 'cuda')
