"""Paths as users write them."""

from pathlib import Path

import pytest

from enet_ros import cli
from enet_ros.paths import user_path


def test_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    assert user_path('~/street') == tmp_path / 'street'
    assert user_path('street') == Path('street')


@pytest.mark.parametrize('command', [
    ['evaluate', '--data', 'camvid', '--root', '~nobody_here/camvid'],
    ['evaluate', '--data', '~nobody_here/own.yaml'],
    ['train', '--recipe', '~nobody_here/recipe.yaml'],
    ['segment', '~nobody_here/street.png', '--out', 'unused'],
    ['info', '~nobody_here/model.safetensors'],
])
def test_an_unknown_users_home_is_an_error_that_names_it(command, capsys):
    assert cli.main(command) == 1
    assert '~nobody_here/' in capsys.readouterr().err
