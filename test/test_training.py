"""Training: what it counts, draws and minimises, and that a killed run ends as an unbroken one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from enet_ros import checkpoint
from enet_ros.config import TrainConfig
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID, UNLABELLED
from enet_ros.training.augment import random_crop, random_light
from enet_ros.training.datasets import FolderFrames, SyntheticFrames
from enet_ros.training.loss import class_weights, segmentation_loss
from enet_ros.training.metrics import ConfusionMatrix
from enet_ros.training.samples import TrainingSamples
from enet_ros.training.train import train

SHARED_CAMVID = Path(__file__).parents[2] / 'shared' / 'camvid'


def make_camvid(root, train=4, val=2, size=(64, 48)):
    """Write a tree in CamVid's layout from synthetic frames; return its path."""
    frames = SyntheticFrames(*size, 7, train + val)
    for index in range(train + val):
        split = 'train' if index < train else 'val'
        image, labels = frames[index]
        for folder, data, name in ((split, image[:, :, ::-1], 'png'), (f'{split}annot', np.where(
                labels == UNLABELLED, 11, labels).astype(np.uint8), 'png')):
            (root / folder).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / folder / f'frame{index}.{name}'), data)
    return root


# Metrics

def test_iou_of_a_case_made_by_hand():
    matrix = ConfusionMatrix(3)
    matrix.add(np.array([[0, 0, 1, 1, 255]], np.uint8), np.array([[0, 1, 1, 1, 0]], np.uint8))
    assert matrix.iou()[:2].tolist() == [1 / 2, 2 / 3]
    assert np.isnan(matrix.iou()[2])
    assert matrix.mean_iou() == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert matrix.accuracy() == 3 / 4


def test_no_answer_is_a_miss_of_the_true_class_only():
    matrix = ConfusionMatrix(2)
    matrix.add(np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 255, 1, 1]], np.uint8))
    assert matrix.iou().tolist() == [1 / 2, 1.0]


def test_nothing_counted():
    assert np.isnan(ConfusionMatrix(2).mean_iou()) and np.isnan(ConfusionMatrix(2).accuracy())


# Frames

def test_frames_of_a_folder(tmp_path):
    frames = FolderFrames(make_camvid(tmp_path) / 'train', CAMVID)
    image, labels = frames[0]
    assert len(frames) == 4
    assert image.shape == (48, 64, 3) and labels.shape == (48, 64)
    assert set(np.unique(labels)) <= {*range(11), UNLABELLED}


@pytest.mark.parametrize('damage, complaint', [
    (lambda root: (root / 'trainannot/frame1.png').unlink(), 'frame1.png is missing'),
    (lambda root: (root / 'trainannot/frame1.png').write_bytes(b''), 'not an image'),
    (lambda root: (root / 'train/frame1.png').write_text('hello'), 'not an image'),
    (lambda root: cv2.imwrite(str(root / 'trainannot/frame1.png'),
                              np.full((48, 64), 77, np.uint8)), 'holds id 77'),
    (lambda root: cv2.imwrite(str(root / 'trainannot/frame1.png'),
                              np.zeros((9, 9), np.uint8)), 'labels are 9x9'),
    (lambda root: cv2.imwrite(str(root / 'trainannot/frame1.png'),
                              np.zeros((48, 64, 3), np.uint8)), 'one channel'),
])
def test_damaged_trees_are_refused_by_name(tmp_path, damage, complaint):
    root = make_camvid(tmp_path)
    damage(root)
    with pytest.raises(BadInput, match=complaint):
        list(FolderFrames(root / 'train', CAMVID))


def test_folders_without_images_or_labels(tmp_path):
    with pytest.raises(BadInput, match='does not exist'):
        FolderFrames(tmp_path / 'none', CAMVID)
    (tmp_path / 'train').mkdir()
    with pytest.raises(BadInput, match='holds no images'):
        FolderFrames(tmp_path / 'train', CAMVID)
    cv2.imwrite(str(tmp_path / 'train/a.png'), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(BadInput, match='no folder trainannot'):
        FolderFrames(tmp_path / 'train', CAMVID)


# Augmentation

def test_labels_stay_with_their_pixels():
    """A frame whose colour tells its label must still tell it after any crop."""
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 11, (6, 8), np.uint8), np.ones((20, 20), np.uint8))
    image = np.repeat(20 * labels[:, :, None], 3, 2)
    for _ in range(30):
        cropped, truth = random_crop(image, labels, (96, 112), rng)
        assert cropped.shape == (96, 112, 3) and truth.shape == (96, 112)
        # Away from the borders between classes, where neither blur nor rounding reaches.
        near = np.ones((9, 9), np.uint8)
        inside = (cv2.erode(truth, near) == cv2.dilate(truth, near)) & (truth != UNLABELLED)
        inside[[0, -1]] = inside[:, [0, -1]] = False  # a border may lie just outside the crop
        assert inside.any()
        assert (np.abs(cropped[inside].astype(int) - 20 * truth[inside, None]) <= 2).all()


def test_scaled_down_frames_are_surrounded_by_void():
    image, labels = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8)
    _, truth = random_crop(image, labels, (200, 200), np.random.default_rng(1))
    assert set(np.unique(truth)) == {0, UNLABELLED}


def test_light_changes_images_within_reason():
    rng = np.random.default_rng(0)
    image = rng.integers(60, 190, (20, 20, 3), np.uint8)
    changed = [random_light(image, rng) for _ in range(20)]
    assert all(c.shape == image.shape and c.dtype == np.uint8 for c in changed)
    assert len({c.tobytes() for c in changed}) == 20
    assert all(20 < c.mean() < 235 for c in changed)


def test_samples_depend_on_seed_and_number_alone():
    frames = list(SyntheticFrames(64, 48, 3, 4))
    settings = {'crop': 32, 'batch_size': 4, 'encoder_epochs': 1, 'epochs': 1}
    config = TrainConfig(**settings, synthetic_share=0.25, seed=5)
    samples = TrainingSamples(frames, frames, config)
    again = TrainingSamples(frames, frames, config)
    other = TrainingSamples(frames, frames, TrainConfig(
        **settings, synthetic_share=0.25, seed=6))
    assert samples.steps == 2 * 4 // 3
    for number in (5, 0, 3):
        assert all(np.array_equal(a, b) for a, b in zip(samples[number], again[number]))
    assert not np.array_equal(samples[0][0], other[0][0])


# Loss

def test_class_weights_are_the_papers():
    labels = np.array([[0] * 90 + [1] * 10 + [UNLABELLED] * 50], np.uint8)
    assert class_weights([labels], 2, 1.02).tolist() == pytest.approx(
        [1 / np.log(1.92), 1 / np.log(1.12)])


@pytest.mark.skipif(not SHARED_CAMVID.is_dir(), reason='CamVid is not there')
def test_class_weights_of_camvid():
    labels = (labels for _, labels in FolderFrames(SHARED_CAMVID / 'train', CAMVID))
    assert class_weights(labels, 11, 1.02).numpy() == pytest.approx(np.array(
        [5.60, 4.30, 33.57, 3.34, 15.49, 8.74, 31.54, 32.01, 12.83, 38.01, 43.91]), abs=0.006)


def test_loss_is_least_where_the_answer_is_right():
    truth = torch.randint(0, 3, (2, 8, 8))
    truth[0, 0, 0] = UNLABELLED
    right = 20 * torch.nn.functional.one_hot(truth.clamp(max=2), 3).permute(0, 3, 1, 2).float()
    weights = torch.ones(3)
    assert segmentation_loss(right, truth, weights).item() == pytest.approx(0, abs=1e-4)
    assert segmentation_loss(right.roll(1, 1), truth, weights).item() > 1
    changed = right.clone()
    changed[0, :, 0, 0] = torch.tensor([0.0, 9.0, 0.0])  # void pixels do not count
    assert segmentation_loss(changed, truth, weights) == segmentation_loss(right, truth, weights)


# The run

def run_config(root, out, **changes):
    settings = {
        'encoder_epochs': 2, 'epochs': 4, 'batch_size': 2, 'synthetic_share': 0.5,
        'synthetic_frames': 2, 'crop': 32, 'checkpoint_every': 1, 'evaluate_every': 3,
        'compile': False, **changes}
    return TrainConfig(camvid=str(root), out=str(out), **settings)


@pytest.fixture(scope='module')
def camvid(tmp_path_factory):
    return make_camvid(tmp_path_factory.mktemp('camvid'), train=2, val=1)


def test_a_killed_run_ends_as_an_unbroken_one(tmp_path, camvid):
    best = train(run_config(camvid, tmp_path / 'unbroken'))
    program = (
        'import sys\n'
        'import torch\n'
        'from enet_ros.training.train import Run, train\n'
        'from test_training import run_config\n'
        f'torch.set_num_threads({torch.get_num_threads()})\n'  # sums depend on it
        'advance = Run.advance\n'
        'def announce(run, *batch):\n'
        '    loss = advance(run, *batch)\n'
        '    print(run.step, flush=True)\n'
        '    return loss\n'
        'Run.advance = announce\n'
        'train(run_config(sys.argv[1], sys.argv[2]))\n')
    process = subprocess.Popen(
        [sys.executable, '-c', program, str(camvid), str(tmp_path / 'killed')],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(
            [str(Path(__file__).parent), *filter(None, sys.path)])})
    while process.stdout.readline().strip() != '5':
        assert process.poll() is None, 'the run ended before it could be killed'
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    state = torch.load(tmp_path / 'killed/state.pt', weights_only=True)
    assert 4 <= state['step'] < 12
    best_again = train(run_config(camvid, tmp_path / 'killed'))
    weights, weights_again = (checkpoint.load(path)[0].state_dict() for path in (best, best_again))
    assert all(torch.equal(weights[name], weights_again[name]) for name in weights)
    assert checkpoint.read_spec(best).metrics == checkpoint.read_spec(best_again).metrics


def test_the_checkpoint_tells_its_recipe_and_scores(tmp_path, camvid):
    spec = checkpoint.read_spec(train(run_config(camvid, tmp_path, epochs=1)))
    assert spec.labels == CAMVID and (spec.width, spec.height) == (64, 48)
    assert spec.training['batch_size'] == 2 and spec.training['epochs'] == 1
    assert set(spec.metrics) == {'camvid_val', 'synthetic'}
    assert 'research' in spec.licence


def test_a_run_can_start_from_weights(tmp_path, camvid):
    first = train(run_config(camvid, tmp_path / 'first', epochs=1))
    still = train(run_config(camvid, tmp_path / 'second', epochs=1, initial=str(first),
                             learning_rate=1e-9, weight_decay=0.0))
    before, after = (checkpoint.load(path)[0].output.weight for path in (first, still))
    assert torch.allclose(before, after, atol=1e-3)


def test_a_folder_with_another_run_is_refused(tmp_path, camvid):
    train(run_config(camvid, tmp_path, epochs=1))
    with pytest.raises(BadInput, match='of a run with other settings'):
        train(run_config(camvid, tmp_path, epochs=2))


@pytest.mark.parametrize('settings, complaint', [
    ({'epochs': 0}, 'epochs is 0; it must be at least 1'),
    ({'crop': 100}, 'crop is 100; it must be a multiple of 8'),
    ({'synthetic_share': 1.0}, 'at most 0.9'),
    ({'class_weight_offset': 1.0}, 'at least 1.0001'),
])
def test_bad_settings_are_named(settings, complaint):
    with pytest.raises(BadInput, match=complaint):
        TrainConfig(**settings)
