"""`enet average`: the mean of the weights of checkpoints."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from enet_ros import cli
from enet_ros.labels import CAMVID, LabelClass, LabelSet
from enet_ros.models import checkpoint
from enet_ros.models.average import average
from enet_ros.models.checkpoint import ModelSpec


def spec_of(**changes):
    return ModelSpec(CAMVID, training={'seed': 3}, temperature=1.5, license='first',
                     metrics={'val': {}}, **changes)


@pytest.fixture
def files(tmp_path):
    paths = []
    for seed, license_text in enumerate(('first', 'second', 'first')):
        torch.manual_seed(seed)
        spec = replace(spec_of(), license=license_text, training={'seed': seed})
        paths.append(tmp_path / f'{seed}.safetensors')
        checkpoint.save(paths[-1], spec.build(), spec, torch.float32)
    return paths


def other(tmp_path, spec):
    file = tmp_path / 'other.safetensors'
    checkpoint.save(file, spec.build(), spec)
    return file


def test_each_weight_is_the_mean(tmp_path, files):
    out = tmp_path / 'out.safetensors'
    average(files, out)
    weights = [checkpoint.read(file)[0].weights for file in files]
    averaged = checkpoint.read(out)[0].weights
    assert averaged.keys() == weights[0].keys()
    for name, value in averaged.items():
        mean = np.mean([each[name] for each in weights], 0, np.float64)
        np.testing.assert_array_equal(value, mean.astype(np.float16))


def test_scores_and_temperature_do_not_carry_over(tmp_path, files):
    spec = average(files, tmp_path / 'out.safetensors')
    assert spec == checkpoint.read_spec(tmp_path / 'out.safetensors')
    assert (spec.temperature, spec.metrics, spec.license) == (1.0, {}, 'first second')
    assert spec.training == {'average': [{'seed': seed} for seed in range(3)]}
    assert spec.labels == CAMVID


def test_the_command_writes_a_model_that_runs(tmp_path, files, capsys):
    out = tmp_path / 'out.safetensors'
    assert cli.main(['average', *map(str, files), '--out', str(out)]) == 0
    assert capsys.readouterr().out == (
        f'{out}: mean of the weights of 3 checkpoints, not calibrated\n')
    with torch.inference_mode():
        assert checkpoint.load(out)[0](torch.zeros(1, 3, 48, 64)).isfinite().all()


@pytest.mark.parametrize('changes, name', [
    ({'architecture': 'erfnet'}, 'architecture'), ({'std': (1.0, 1.0, 1.0)}, 'std'),
    ({'labels': LabelSet('x', (LabelClass('x', (0, 0, 0)),))}, 'labels')])
def test_other_networks_are_refused(tmp_path, files, capsys, changes, name):
    file = other(tmp_path, replace(spec_of(), **changes))
    assert cli.main(['average', str(files[0]), str(file), '--out', str(tmp_path / 'x')]) == 1
    assert capsys.readouterr().err == (
        f'enet: {file} differs from {files[0]} in {name}; average checkpoints of the same '
        'network, classes and normalization\n')
    assert not (tmp_path / 'x').exists()


def test_one_model_is_refused(tmp_path, files, capsys):
    assert cli.main(['average', str(files[0]), '--out', str(tmp_path / 'x')]) == 1
    assert capsys.readouterr().err == (
        'enet: an average needs at least two models, not 1; name more\n')
