"""The measurement of a recipe on excluded drives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sample_data import make_camvid

from enet_ros.data.camvid import DRIVES
from enet_ros.data.datasets import open_dataset
from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint

PROGRAM = Path(__file__).parents[1] / 'benchmarks/cross_drive.py'


@pytest.fixture(scope='module')
def camvid(tmp_path_factory):
    """Return a CamVid with one frame of each drive in train."""
    root = make_camvid(tmp_path_factory.mktemp('camvid'), train=len(DRIVES), val=1)
    for split in ('train', 'trainannot'):
        for file, drive in zip(sorted((root / split).iterdir()), DRIVES):
            file.rename(file.with_name(f'{drive}_000.png'))
    return root


@pytest.mark.parametrize('drive', DRIVES)
def test_the_excluded_drive_is_only_in_val(camvid, drive):
    splits = open_dataset(f'camvid-{drive}', camvid).splits
    assert splits['val'].names == [f'{drive}_000']
    assert splits['train'].names == [f'{other}_000' for other in DRIVES if other != drive]


def cross_drive(root, out, *options):
    return subprocess.run(
        [sys.executable, PROGRAM, root, out, '--encoder-epochs', '0', '--epochs', '1', *options],
        capture_output=True, text=True, timeout=300,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))})


FAST = ['--device', 'cpu', '--no-compile', '--crop', '32', '--batch-size', '2',
        '--synthetic-share', '0', '--scored-streets', '1']


def table(output):
    """Return the rows of the last table of an output by their titles."""
    lines = output.split('| excluded drive |')[-1].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip('| ').split('|')] for line in lines
             if line.startswith('|')]
    return {title: [float(value) for value in values] for title, *values in cells}


def test_every_drive_is_excluded_once(tmp_path, camvid):
    first = cross_drive(camvid, tmp_path, *FAST)
    assert first.returncode == 0, first.stdout + first.stderr
    rows = table(first.stdout)
    assert list(rows) == [*DRIVES, 'mean of the drives']
    for drive in DRIVES:
        spec = checkpoint.read_spec(tmp_path / drive / 'last.safetensors')
        assert spec.training['data'] == f'camvid-{drive}'
        assert rows[drive][0] == pytest.approx(spec.metrics['val']['mean_iou'], abs=5e-4)
        assert len(rows[drive]) == 1 + len(CAMVID)
    means = [rows[drive][0] for drive in DRIVES]
    assert rows['mean of the drives'][0] == pytest.approx(sum(means) / 3, abs=1e-3)
    saved = [(tmp_path / drive / 'last.safetensors').stat().st_mtime_ns for drive in DRIVES]
    again = cross_drive(camvid, tmp_path, *FAST)
    assert str(table(again.stdout)) == str(rows), again.stderr  # NaN differs from itself
    assert saved == [(tmp_path / drive / 'last.safetensors').stat().st_mtime_ns
                     for drive in DRIVES]  # nothing was trained again


def test_options_name_the_excluded_drive(tmp_path, camvid):
    result = cross_drive(camvid, tmp_path, '--drives', '0006R0', *FAST,
                         '--teacher', 'without_{drive}.onnx')
    assert result.returncode == 1
    assert 'teacher without_0006R0.onnx does not exist' in result.stderr
