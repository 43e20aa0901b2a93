"""What commands and nodes must not do: use the network, a shell, or code from files."""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

FORBIDDEN = """
import os, sys

EVENTS = ('socket.connect', 'socket.bind', 'socket.getaddrinfo', 'socket.gethostbyname',
          'os.system', 'pickle.find_class')
SHELLS = 'sh', 'bash', 'dash'


def refuse(event, arguments):
    if event in EVENTS or (event == 'subprocess.Popen'
                           and os.path.basename(str(arguments[0])) in SHELLS):
        os.write(2, f'forbidden: {event} {arguments}\\n'.encode())
        os._exit(66)


sys.addaudithook(refuse)
"""


@pytest.fixture
def run(tmp_path):
    """Return a function that runs Python code with the audit hook above; it returns the result."""
    (tmp_path / 'hook').mkdir()
    (tmp_path / 'hook/forbidden.py').write_text(FORBIDDEN)

    def run(code, *arguments):
        command = [sys.executable, '-c', f'import sys; sys.path.append({str(tmp_path / "hook")!r})'
                   f'; import forbidden; {code}', *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)

    return run


@pytest.mark.parametrize('code', [
    "import socket; socket.create_connection(('127.0.0.1', 9))",
    "import subprocess; subprocess.run('true', shell=True)",
    'import pickle; pickle.loads(pickle.dumps(open))',
    "import os; os.system('true')"])
def test_the_hook_finds_what_is_forbidden(run, code):
    result = run(code)
    assert result.returncode == 66 and 'forbidden: ' in result.stderr


@pytest.mark.parametrize('command', [
    ['info', 'enet_camvid'], ['segment', 'images', '--out', 'results', '--engine', 'torch'],
    ['segment', 'images', '--out', 'results']], ids=['info', 'segment-torch', 'segment'])
def test_commands_use_neither_network_nor_shell(run, tmp_path, command):
    (tmp_path / 'images').mkdir()
    cv2.imwrite(str(tmp_path / 'images/a.png'), np.full((48, 64, 3), 90, np.uint8))
    result = run('from enet_ros.cli import main; sys.exit(main())', *command)
    assert result.returncode == 0, result.stderr
    if command[0] == 'segment':
        assert len(list(Path(tmp_path, 'results').rglob('*.png'))) >= 2


def test_a_network_namespace_without_interfaces_is_enough(tmp_path):
    """The hook sees Python's own calls; this sees those of compiled libraries, too."""
    namespace = ['unshare', '--map-root-user', '--net']
    if shutil.which('unshare') is None or subprocess.run([*namespace, 'true'],
                                                         capture_output=True).returncode:
        pytest.skip('this user cannot create network namespaces with unshare')
    (tmp_path / 'images').mkdir()
    cv2.imwrite(str(tmp_path / 'images/a.png'), np.full((48, 64, 3), 90, np.uint8))
    segment = 'from enet_ros.cli import main; import sys; sys.exit(main())'
    result = subprocess.run(
        [*namespace, sys.executable, '-c', segment, 'segment', 'images', '--out', 'results'],
        capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert result.returncode == 0, result.stderr
    assert len(list(Path(tmp_path, 'results').rglob('*.png'))) >= 2


def test_a_checkpoint_with_a_pickle_is_not_loaded(run, tmp_path):
    code = ("import pickle, pathlib; pathlib.Path('m.safetensors').write_bytes(pickle.dumps(open))"
            "; from enet_ros.cli import main; sys.exit(main())")
    result = run(code, 'info', 'm.safetensors')
    assert result.returncode == 1 and result.stderr.startswith('enet: ')
    assert len(result.stderr.splitlines()) == 1 and not (tmp_path / 'm').exists()
