import signal
import subprocess
import sys

import pytest

from enet_ros import __version__, cli

COMMANDS = {
    'segment': ['segment', 'synthetic', '--out', 'results'],
    'evaluate': ['evaluate'],
    'calibrate': ['calibrate', 'enet_camvid', '--out', 'calibrated.safetensors'],
    'train': ['train'],
    'info': ['info', 'enet_camvid'],
    'export': ['export', 'enet_camvid', '--out', 'model.onnx'],
    'import': ['import', 'weights.pt', '--labels', 'labels.yaml'],
    'benchmark': ['benchmark'],
    'tune': ['tune'],
    'nav2-config': ['nav2-config'],
    'labelspace': ['labelspace', '--out', 'labels'],
}


def help_of(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([*arguments, '--help'])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_help_lists_every_command(capsys):
    text = help_of([], capsys)
    assert text.startswith('usage: enet COMMAND')
    assert all(f'\n    {command} ' in text for command in COMMANDS)


@pytest.mark.parametrize('command', COMMANDS)
def test_help_of_a_command(command, capsys):
    text = help_of([command], capsys)
    assert text.startswith(f'usage: enet {command} ')
    assert '(default: None)' not in text and '(default: )' not in text


def test_version(capsys):
    with pytest.raises(SystemExit):
        cli.main(['--version'])
    assert capsys.readouterr().out == f'enet_ros {__version__}\n'


@pytest.mark.parametrize('command', COMMANDS)
def test_interrupted_command_prints_one_line(command, monkeypatch, capsys):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, f'_{command.replace("-", "_")}', interrupted)
    assert cli.main(COMMANDS[command]) == 130
    output = capsys.readouterr()
    assert output.err == 'enet: interrupted\n' and output.out == ''


def test_ctrl_c_stops_a_running_command_without_a_traceback(tmp_path, tiny_model):
    process = subprocess.Popen(
        [sys.executable, '-m', 'enet_ros.cli', 'segment', 'synthetic', '--frames', '1000000',
         '--out', tmp_path, '--model', tiny_model, '--engine', 'torch', '--threads', '1'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Background jobs of a shell inherit an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    try:
        for line in process.stdout:
            if 'network size' in line:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors.splitlines()[-1] == 'enet: interrupted' and 'Traceback' not in errors


def test_output_that_nobody_reads_is_no_error(tiny_model):
    process = subprocess.Popen([sys.executable, '-m', 'enet_ros.cli', 'info', tiny_model],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and errors == ''
