from pathlib import Path

import pytest

from enet_ros import cli
from enet_ros.errors import BadInput
from enet_ros.models.checkpoint import resolve
from enet_ros.paths import user_path, write_atomically


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
def test_home_of_an_unknown_user_is_an_error_that_names_it(command, capsys):
    assert cli.main(command) == 1
    assert '~nobody_here/' in capsys.readouterr().err


def test_atomic_write_replaces_the_file_and_leaves_no_other(tmp_path):
    file = tmp_path / 'weights.bin'
    for data in (b'old', b'new and longer', b''):
        write_atomically(file, data)
        assert file.read_bytes() == data
    assert list(tmp_path.iterdir()) == [file]


def test_failed_atomic_write_raises_and_leaves_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / 'missing' / 'a', b'data')
    folder = tmp_path / 'folder'
    (folder / 'inside').mkdir(parents=True)
    with pytest.raises(OSError):
        write_atomically(folder, b'data')  # a file cannot replace a folder
    assert list(tmp_path.iterdir()) == [folder]


def test_interrupted_atomic_write_keeps_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / 'weights.bin'
    file.write_bytes(b'old')

    def interrupted(path, data):
        path.open('wb').write(data[:2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, 'write_bytes', interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(file, b'new')
    assert file.read_bytes() == b'old' and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize('text', ['a' * 256, 'b/' + 'ü' * 128, 'a\0b', '\ud800', '~/' + 'c' * 300,
                                  'd/' * 2000])
def test_text_that_is_no_path_is_refused(text):
    with pytest.raises(BadInput, match='is no path: names of files'):
        user_path(text)
    with pytest.raises(BadInput, match='is no path'):
        resolve(text)
    assert user_path('a' * 255).name == 'a' * 255
    with pytest.raises(BadInput, match='does not exist'):
        resolve('a' * 255)
