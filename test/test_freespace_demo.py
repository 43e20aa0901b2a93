"""The demo of free space as users run it."""

import re
import subprocess
import sys

import cv2


def run_demo(*arguments):
    program = [sys.executable, '-m', 'enet_ros.evaluation.freespace_demo']
    return subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True,
                          timeout=300)


def test_the_demo_scores_warns_and_draws(tmp_path, tiny_model):
    result = run_demo('--streets', 1, '--frames', 1, '--model', tiny_model, '--out', tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    for row in ('exact labels', "the network's labels", 'pitch 1 degree too large'):
        assert re.search(rf'{row} +\d+\.\d\d %', result.stdout)
    assert re.search(r'too large: the mean error of ranges grows .* 1\.0 degrees less down',
                     result.stdout)
    picture = cv2.imread(str(tmp_path / 'freespace.png'))
    assert picture is not None and picture.std() > 20


def test_a_missing_model_is_named(tmp_path):
    result = run_demo('--model', '/nowhere/model.safetensors', '--out', tmp_path)
    assert result.returncode == 1 and 'Traceback' not in result.stderr
    assert 'demo_freespace: model /nowhere/model.safetensors' in result.stderr
