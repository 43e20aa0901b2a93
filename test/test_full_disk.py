"""A disk that is full: one line, nothing half-written stays, and the earlier file stays.

A limit on the size of files fails writes as a full disk does, after part of the data is written.
"""

import resource
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from bags import raw, write_bag

from enet_ros.engines.cache import load_or_build
from enet_ros.engines.tuning import Tuning
from enet_ros.engines.tuning_file import store_tuning
from enet_ros.errors import BadInput
from enet_ros.evaluation.segment_bag import segment_bag
from enet_ros.evaluation.segment_files import segment_source
from enet_ros.freespace.nav2_config import write_costmap
from enet_ros.images.bag_source import BagSource
from enet_ros.images.contact_sheet import write_sheet
from enet_ros.images.open_source import open_source
from enet_ros.label_space.space import class_space
from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint
from enet_ros.paths import OutputFolder
from enet_ros.segmenter import Segmenter
from enet_ros.training.run_state import FORMAT_VERSION, RunState, write_state
from enet_ros.training.teacher_predictions import predict_frames
from enet_ros.training.training_log import TrainingLog

LIMITS = 0, 300  # bytes; with the second, part of a file is written
IMAGE = np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8)
SCORES = SimpleNamespace(mean_iou=0.5, pixel_accuracy=0.5, iou=dict.fromkeys(CAMVID.names, 0.5))


@contextmanager
def full_disk(limit):
    """Let writes to files fail beyond a size in bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def content(folder):
    """Return the content of all files below a folder."""
    return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.fixture(scope='module')
def segmenter(tiny_model):
    return Segmenter.load(tiny_model, engine='torch', device='cpu', precision='float32')


def state(folder, **_):
    write_state(folder / 'state.pt', RunState(
        format_version=FORMAT_VERSION, settings={}, best_score=0.0,
        trainer={'weights': torch.zeros(500)},
        log={'rows': [], 'losses': [], 'tensorboard_rows': 0}))


def save_checkpoint(folder, tiny_model, **_):
    checkpoint.save(folder / 'net.safetensors', *checkpoint.load(tiny_model))


def calibrated_checkpoint(folder, tiny_model, **_):
    spec = replace(checkpoint.read_spec(tiny_model), temperature=2.0)
    checkpoint.copy_with_spec(tiny_model, folder / 'calibrated.safetensors', spec)


def text(folder, **_):
    OutputFolder(folder).write_text('report.json', 'x' * 1000)


def costmap(folder, **_):
    write_costmap(str(folder / f'{len(list(folder.iterdir()))}.yaml'), 'x' * 1000)


def sheet(folder, **_):
    write_sheet(folder / 'sheet.png', IMAGE)


def images(folder, segmenter, **_):
    segment_source(segmenter, open_source('synthetic', width=64, height=48), folder, frames=1)


def recording(folder, segmenter, **_):
    source = folder.parent / 'recorded'
    if not source.exists():
        write_bag(source, [('/image', raw(IMAGE, 'rgb8'))])
    segment_bag(segmenter, class_space(CAMVID), BagSource(source), folder / 'results.mcap', 'tiny')


def predictions(folder, **_):
    number = len(list(folder.iterdir()))
    teacher = SimpleNamespace(size=(64, 48), classes=2,
                              predict=lambda image: np.zeros((48, 64, 2), np.float16))
    predict_frames(teacher, [(IMAGE + np.uint8(number), None)], folder)


def training_log(folder, **_):
    pytest.importorskip('matplotlib')
    log = TrainingLog(folder, CAMVID)
    log._write_tensorboard = log._write_predictions = lambda *_: None
    log.add_scores(10, 0.1, {'val': SCORES})
    log.write(None, {})


WRITERS = [state, save_checkpoint, calibrated_checkpoint, text, costmap, sheet, images,
           predictions, training_log]
if find_spec('rosbags'):
    WRITERS.append(recording)


@pytest.mark.parametrize('limit', LIMITS)
@pytest.mark.parametrize('write', WRITERS, ids=lambda write: write.__name__)
def test_the_earlier_file_stays(write, limit, tmp_path, tiny_model, segmenter):
    folder = tmp_path / 'out'
    folder.mkdir()
    write(folder, tiny_model=tiny_model, segmenter=segmenter)
    before = content(tmp_path)
    assert before
    with full_disk(limit), pytest.raises(BadInput) as caught:
        write(folder, tiny_model=tiny_model, segmenter=segmenter)
    assert 'cannot write' in str(caught.value) and 'File too large' in str(caught.value)
    assert content(tmp_path) == before


@pytest.mark.parametrize('limit', LIMITS)
def test_what_cannot_be_cached_is_used_anyway(tmp_path, caplog, limit):
    built = bytes(1000)
    with full_disk(limit):
        assert load_or_build(tmp_path, 'a.onnx', lambda: built) == built
    assert 'cannot store' in caplog.text and 'File too large' in caplog.text
    assert not content(tmp_path)


def test_earlier_measurements_stay(tmp_path, caplog):
    file = tmp_path / 'tuning.json'
    store_tuning(file, Tuning((), {}), {'cores': 1})
    before = content(tmp_path)
    with full_disk(20):
        store_tuning(file, Tuning((), {}), {'cores': 2})
    assert 'cannot store' in caplog.text and content(tmp_path) == before


@pytest.mark.skipif(not find_spec('onnxruntime'), reason='needs onnxruntime')
@pytest.mark.parametrize('limit', LIMITS)
def test_an_export_leaves_nothing(tmp_path, tiny_model, limit, monkeypatch):
    from enet_ros.engines.export import export_model
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'tmp'))
    (tmp_path / 'tmp').mkdir()
    with full_disk(limit), pytest.raises(BadInput, match='cannot write .*File too large'):
        export_model(tiny_model, tmp_path / 'net.onnx')
    assert not content(tmp_path)


def test_launch_overrides_leave_no_temporary_file(tmp_path, monkeypatch):
    from enet_ros.ros.parameter_file import write_parameter_file
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    with full_disk(10), pytest.raises(BadInput, match='cannot write .*File too large.*TMPDIR'):
        write_parameter_file('freespace_node', {'camera.z': 1.5, 'use_sim_time': True})
    assert not content(tmp_path)


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
@pytest.mark.parametrize('arguments', [['info', 'enet_camvid'], ['nav2-config', 'enet_camvid']])
def test_a_full_output_is_one_line(arguments):
    with open('/dev/full', 'w') as full:
        result = subprocess.run([sys.executable, '-m', 'enet_ros.cli', *arguments], stdout=full,
                                stderr=subprocess.PIPE, text=True, timeout=120)
    assert result.returncode == 1
    assert result.stderr == ('enet: the output cannot be written: No space left on device; free '
                             'disk space\n')
