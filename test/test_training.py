"""Training: augmentation, samples, recipes, loss, and whole runs that are killed and resumed."""

import csv
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from killed_run import kill_run, same_weights
from sample_data import make_camvid, make_folder

from enet_ros.config import RunConfig
from enet_ros.data.datasets import open_dataset
from enet_ros.data.frames import FolderFrames
from enet_ros.data.streets import SIZE, SyntheticFrames, training_streets
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID, UNLABELED
from enet_ros.models import checkpoint
from enet_ros.models.enet import ENet
from enet_ros.synthetic.street import SyntheticStreet
from enet_ros.training import run_state
from enet_ros.training.augmentation import random_crop, random_degradation, random_light
from enet_ros.training.fabric import check_processes, make_fabric
from enet_ros.training.loss import class_weights, segmentation_loss
from enet_ros.training.objective import disable_dropout
from enet_ros.training.recipe import load_recipe, recipe_files
from enet_ros.training.run import Run
from enet_ros.training.run_setup import prepare_run
from enet_ros.training.samples import TrainingSamples
from enet_ros.training.schedule import learning_rate_factor
from enet_ros.training.train import train

SHARED_CAMVID = Path(__file__).parents[2] / 'shared' / 'camvid'


# Augmentation

def cropped_frame(image, labels, *arguments):
    """Return a random crop of an image and of its labels."""
    crop = random_crop(labels.shape, *arguments)
    return crop.image(image), crop.labels(labels)


def test_labels_stay_with_their_pixels():
    """The color of each pixel encodes its label, so a crop must keep the two together."""
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 11, (6, 8), np.uint8), np.ones((20, 20), np.uint8))
    image = np.repeat(20 * labels[:, :, None], 3, 2)
    for _ in range(30):
        cropped, truth = cropped_frame(image, labels, (96, 112), rng)
        assert cropped.shape == (96, 112, 3) and truth.shape == (96, 112)
        # Blur and rounding change pixels near the borders between classes.
        near = np.ones((9, 9), np.uint8)
        inside = (cv2.erode(truth, near) == cv2.dilate(truth, near)) & (truth != UNLABELED)
        inside[[0, -1]] = inside[:, [0, -1]] = False  # a border may lie just outside the crop
        assert inside.any()
        assert (np.abs(cropped[inside].astype(int) - 20 * truth[inside, None]) <= 2).all()


def test_frames_smaller_than_the_crop_are_padded_with_void():
    image, labels = np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40), np.uint8)
    _, truth = cropped_frame(image, labels, (200, 200), np.random.default_rng(1))
    assert set(np.unique(truth)) == {0, UNLABELED}


@pytest.mark.parametrize('largest', [1.0, 1.5, 2.0])
def test_scales_span_the_whole_range(largest):
    """The width of a block of labels inside the crop reveals the scale."""
    image, labels = np.zeros((60, 60, 3), np.uint8), np.zeros((60, 60), np.uint8)
    labels[20:40, 20:40] = 1
    rng = np.random.default_rng(2)
    widths = [(cropped_frame(image, labels, (160, 160), rng, largest)[1] == 1).any(0).sum() / 20
              for _ in range(200)]
    assert np.ptp(widths) >= 0.8 * (largest - 1 / largest)
    assert min(widths) >= 1 / largest - 0.06 and max(widths) <= largest + 0.06


@pytest.mark.parametrize('flips', [False, True])
def test_crops_at_scale_one_are_not_resampled(flips):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)
    labels = image[..., 0] % 11
    for _ in range(10):
        cropped, truth = cropped_frame(image, labels, (24, 16), rng, 1.0, flips)
        assert (cropped[..., 0] % 11 == truth).all()
        windows = np.lib.stride_tricks.sliding_window_view(image, (24, 16), (0, 1))
        assert any((windows == each.transpose(2, 0, 1)).all((2, 3, 4)).any()
                   for each in (cropped, cropped[:, ::-1])[:1 + flips])


def test_light_changes_keep_images_recognizable():
    rng = np.random.default_rng(0)
    image = rng.integers(60, 190, (20, 20, 3), np.uint8)
    changed = [random_light(image, rng) for _ in range(20)]
    assert all(c.shape == image.shape and c.dtype == np.uint8 for c in changed)
    assert len({c.tobytes() for c in changed}) == 20
    assert all(20 < c.mean() < 235 for c in changed)


def test_degraded_images_stay_recognizable():
    rng = np.random.default_rng(0)
    image = SyntheticStreet(160, 120).render(0).image
    degraded = [random_degradation(image, rng) for _ in range(30)]
    assert all(each.shape == image.shape and each.dtype == np.uint8 for each in degraded)
    errors = [np.abs(each.astype(float) - image).mean() for each in degraded]
    assert min(errors) > 1 and max(errors) < 40
    assert all(abs(each.mean() - image.mean()) < 5 for each in degraded)


def test_the_recipe_says_how_many_samples_are_degraded():
    frames = list(SyntheticFrames(64, 48, 3, 4))

    def image(share):
        recipe = load_recipe(changes={'crop': 32, 'batch_size': 4, 'degraded_share': share})
        return TrainingSamples(frames, [], recipe, seed=5)

    clean, half, all_degraded = image(0.0), image(0.5), image(1.0)
    changed = [[not np.array_equal(samples[index][0], clean[index][0]) for index in range(20)]
               for samples in (half, all_degraded)]
    assert 4 < sum(changed[0]) < 16 and all(changed[1])
    assert all(np.array_equal(all_degraded[index][1], clean[index][1]) for index in range(20))


def test_samples_depend_only_on_seed_and_index():
    frames = list(SyntheticFrames(64, 48, 3, 4))
    recipe = load_recipe(changes={'crop': 32, 'batch_size': 4, 'encoder_epochs': 1, 'epochs': 1})
    samples = TrainingSamples(frames, frames, recipe, seed=5)
    again = TrainingSamples(frames, frames, recipe, seed=5)
    other = TrainingSamples(frames, frames, recipe, seed=6)
    assert samples.steps == 2 * 4 // 3
    for index in (5, 0, 3):
        assert all(np.array_equal(a, b) for a, b in zip(samples[index], again[index]))
    assert not np.array_equal(samples[0][0], other[0][0])


def test_few_frames_still_train_the_whole_network():
    frames = list(SyntheticFrames(64, 48, 3, 2))
    samples = TrainingSamples(frames, [], load_recipe(changes={
        'batch_size': 8, 'encoder_epochs': 1, 'epochs': 1}), seed=0)
    assert (samples.steps_of(1), samples.steps) == (1, 2)


def test_a_crop_is_no_larger_than_the_frames():
    frames = list(SyntheticFrames(64, 48, 3, 1))
    samples = TrainingSamples(frames, [], load_recipe(changes={'crop': 56}), seed=0)
    assert samples[0][1].shape == (48, 56)


def test_a_small_batch_has_at_least_one_synthetic_frame():
    assert [load_recipe(changes={'batch_size': 2, 'synthetic_share': share}).synthetic_per_batch
            for share in (0.0, 0.1, 0.5)] == [0, 1, 1]


def test_processes_divide_each_batch():
    frames = list(SyntheticFrames(64, 48, 3, 4))
    samples = TrainingSamples(frames, [], load_recipe(changes={
        'batch_size': 4, 'encoder_epochs': 1, 'epochs': 1}), seed=0)
    assert samples.steps == 2
    parts = [samples.indices(1, rank, 2) for rank in range(2)]
    assert sorted(sum(parts, [])) == [4, 5, 6, 7] and [len(part) for part in parts] == [2, 2]


def test_the_papers_recipe_uses_whole_frames():
    frames = list(SyntheticFrames(64, 48, 3, 2))
    samples = TrainingSamples(frames, [], load_recipe('paper', {'batch_size': 2}), seed=0)
    image, labels = samples[0]
    assert any(np.array_equal(image, frame) and np.array_equal(labels, truth)
               for frame, truth in frames)


def test_half_of_the_streets_have_a_wide_view():
    sizes = [labels.shape[::-1] for _, labels in training_streets((64, 48), 5)]
    assert sizes == 3 * [(64, 48)] + 2 * [SIZE]


@pytest.mark.parametrize('augmented', [True, False])
def test_the_recipe_decides_whether_synthetic_streets_are_augmented(augmented):
    streets, real = list(SyntheticFrames(48, 48, 3, 1)), list(SyntheticFrames(48, 48, 4, 1))
    samples = TrainingSamples(real, streets, load_recipe(changes={
        'batch_size': 2, 'crop': 48, 'synthetic_share': 0.5, 'augment_synthetic': augmented}),
        seed=0)
    (street, _), (frame, _) = samples[0], samples[1]
    assert np.array_equal(street, streets[0][0]) != augmented
    assert not np.array_equal(frame, real[0][0])


def test_dropout_can_be_disabled():
    network = ENet(3)
    dropout = [module for module in network.modules() if isinstance(module, torch.nn.Dropout2d)]
    assert any(module.p for module in dropout)
    disable_dropout(network)
    assert not any(module.p for module in dropout)


# Recipes

def test_shipped_recipes():
    assert set(recipe_files()) == {'best', 'continue', 'refine', 'streets', 'scales', 'paper',
                                   'segnet'}
    paper = load_recipe('paper')
    assert (paper.learning_rate, paper.weight_decay, paper.batch_size) == (5e-4, 2e-4, 10)
    assert (paper.encoder_epochs, paper.class_weight_offset) == (300, 1.02)
    assert load_recipe('segnet').architecture == 'segnet'


def test_changes_override_the_file(tmp_path):
    (tmp_path / 'mine.yaml').write_text('epochs: 3\nlearning_rate: 1\n')
    recipe = load_recipe(tmp_path / 'mine.yaml', {'epochs': 4})
    assert (recipe.epochs, recipe.learning_rate, recipe.crop) == (4, 1.0, load_recipe().crop)


@pytest.mark.parametrize('text, complaint', [
    ('epoch: 3', "unknown entry 'epoch'"),
    ('iou_share: 1.0', "entry 'iou_share' of earlier versions is 'iou_weight' now"),
    ('epochs: many', "epochs is 'many'; it must be of type int"),
    ('epochs: 0', 'epochs is 0; it must be at least 1'),
    ('crop: 100', 'crop is 100; it must be a multiple of 8'),
    ('synthetic_share: 1', 'at most 0.9'),
    ('synthetic_share: 0.9\nbatch_size: 4', 'must leave a real frame in a batch of 4; lower it'),
    ('synthetic_share: 0.75\nbatch_size: 2', 'must leave a real frame in a batch of 2; lower it'),
    ('learning_rate: .inf', 'learning_rate is inf; it must be a finite number'),
    ('iou_weight: .nan', 'iou_weight is nan; it must be a finite number'),
    ('class_weight_offset: 1', 'at least 1.0001'),
    ('architecture: segnet', 'must be 0 for segnet'),
    ('optimizer: sgd', 'choose one of adamw, adam'),
    ('- 1', 'has no entries'),
])
def test_invalid_recipes_are_rejected(tmp_path, text, complaint):
    (tmp_path / 'mine.yaml').write_text(text)
    with pytest.raises(BadInput, match=complaint):
        load_recipe(tmp_path / 'mine.yaml')


def test_a_missing_recipe_is_rejected():
    with pytest.raises(BadInput, match='recipe worst does not exist; .* best, continue, paper'):
        load_recipe('worst')


def test_one_cycle_rises_and_falls():
    factors = [learning_rate_factor('one_cycle', epoch, 100) for epoch in range(101)]
    assert factors[10] == 1.0 == max(factors)
    assert factors[:11] == sorted(factors[:11])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[100] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize('schedule', ['one_cycle', 'steps'])
def test_a_stage_may_begin_within_the_last_epoch_of_the_one_before(schedule):
    assert learning_rate_factor(schedule, -0.01, 2) == learning_rate_factor(schedule, 0, 2)


def test_steps_divide_by_ten_every_hundred_epochs():
    factors = [learning_rate_factor('steps', epoch, 300) for epoch in (0, 99.9, 100, 250)]
    assert factors == pytest.approx([1, 1, 0.1, 0.01])


# Loss

def test_class_weights_follow_the_paper():
    assert class_weights(np.array([90, 10]), 1.02).tolist() == pytest.approx(
        [1 / np.log(1.92), 1 / np.log(1.12)])


@pytest.mark.skipif(not SHARED_CAMVID.is_dir(), reason='CamVid is not available')
def test_class_weights_of_camvid():
    pixels = FolderFrames(SHARED_CAMVID / 'train', CAMVID).count_pixels()
    assert class_weights(pixels, 1.02).numpy() == pytest.approx(np.array(
        [5.60, 4.30, 33.57, 3.34, 15.49, 8.74, 31.54, 32.01, 12.83, 38.01, 43.91]), abs=0.006)


def test_the_loss_is_lowest_for_correct_predictions():
    truth = torch.randint(0, 3, (2, 8, 8))
    truth[0, 0, 0] = UNLABELED
    correct = 20 * torch.nn.functional.one_hot(truth.clamp(max=2), 3).permute(0, 3, 1, 2).float()
    weights = torch.ones(3)
    assert segmentation_loss(correct, truth, weights).item() == pytest.approx(0, abs=1e-4)
    assert segmentation_loss(correct.roll(1, 1), truth, weights).item() > 1
    changed = correct.clone()
    changed[0, :, 0, 0] = torch.tensor([0.0, 9.0, 0.0])  # void pixels do not count
    assert segmentation_loss(changed, truth, weights) == segmentation_loss(correct, truth, weights)


def test_the_loss_without_iou_is_weighted_cross_entropy():
    logits, truth = torch.randn(2, 3, 8, 8), torch.randint(0, 3, (2, 8, 8))
    truth[1, 2] = UNLABELED
    weights = torch.tensor([1.0, 5.0, 20.0])
    assert segmentation_loss(logits, truth, weights, iou_weight=0).item() == pytest.approx(
        torch.nn.functional.cross_entropy(logits, truth, weights, ignore_index=UNLABELED).item())


def test_the_loss_of_void_is_finite():
    logits = torch.randn(2, 3, 8, 8, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((2, 8, 8), UNLABELED), torch.ones(3))
    loss.backward()
    assert torch.isfinite(loss) and not logits.grad.any()


# Whole runs

RECIPE = {'encoder_epochs': 2, 'epochs': 4, 'batch_size': 2, 'synthetic_share': 0.5,
          'synthetic_frames': 2, 'crop': 32}


def small_run(root, out, recipe='best', changes=None, **settings):
    """Train for a few seconds and return the path of the best checkpoint."""
    config = RunConfig(**{'root': str(root), 'out': str(out), 'device': 'cpu', 'compile': False,
                          'checkpoint_every': 1, 'evaluate_every': 3, 'scored_streets': 2,
                          **settings})
    return train(config, load_recipe(recipe, {**RECIPE, **(changes or {})}))


@pytest.fixture(scope='module')
def camvid(tmp_path_factory):
    return make_camvid(tmp_path_factory.mktemp('camvid'), train=2, val=1)


def test_a_killed_run_resumes_with_identical_results(tmp_path, camvid):
    best = small_run(camvid, tmp_path / 'uninterrupted')
    kill_run('test_training', 'small_run', [camvid, tmp_path / 'killed'], step=5)
    state = torch.load(tmp_path / 'killed/state.pt', weights_only=True)
    assert 4 <= state['trainer']['step'] < 12
    best_again = small_run(camvid, tmp_path / 'killed')
    assert same_weights(best, best_again)
    assert checkpoint.read_spec(best).metrics == checkpoint.read_spec(best_again).metrics
    logs = [(tmp_path / name / 'metrics.csv').read_text() for name in ('uninterrupted', 'killed')]
    assert logs[0] == logs[1]


def test_files_of_a_run(tmp_path, camvid):
    spec = checkpoint.read_spec(small_run(camvid, tmp_path))
    assert spec.labels == CAMVID and (spec.width, spec.height) == (480, 360)
    assert spec.training['batch_size'] == 2 and spec.training['epochs'] == 4
    assert set(spec.metrics) == {'val', 'streets'}
    assert 'camvid' in spec.license
    checkpoint.load(tmp_path / 'last.safetensors')
    with (tmp_path / 'metrics.csv').open() as file:
        rows = list(csv.DictReader(file))
    last = [row for row in rows if row['val_mean_iou']][-1]
    assert last['step'] == '12' and 0 <= float(last['val_mean_iou']) <= 1
    assert list((tmp_path / 'tensorboard').iterdir())
    for picture in ('curves.png', 'predictions.png'):
        assert cv2.imread(str(tmp_path / picture)).std() > 10


def test_a_run_can_start_from_a_checkpoint(tmp_path, camvid):
    first = small_run(camvid, tmp_path / 'first')
    still = small_run(camvid, tmp_path / 'second', initial=str(first), changes={
        'learning_rate': 1e-9, 'weight_decay': 0.0, 'encoder_epochs': 0, 'epochs': 1})
    assert checkpoint.read_spec(still).license == checkpoint.read_spec(first).license
    before, after = (checkpoint.load(path)[0].output.weight for path in (first, still))
    assert torch.allclose(before, after, atol=1e-3)


def test_a_run_can_start_from_a_checkpoint_of_other_classes(tmp_path, camvid, capsys):
    first = small_run(camvid, tmp_path / 'first')
    own = small_run('', tmp_path / 'own', data=str(make_folder(tmp_path / 'data')),
                    initial=str(first), changes={
        'learning_rate': 1e-9, 'weight_decay': 0.0, 'encoder_epochs': 0, 'epochs': 1})
    assert 'has the classes of camvid: its last layer is replaced' in capsys.readouterr().out
    before, after = (checkpoint.load(path)[0].state_dict() for path in (first, own))
    assert after['output.weight'].shape != before['output.weight'].shape
    assert checkpoint.read_spec(own).license == (
        'Trained on warehouse; its terms of use apply. Initial weights: '
        'Trained on camvid; its terms of use apply.')
    kept = [name for name in before if name.endswith('weight') and 'output' not in name]
    assert len(kept) > 50
    for name in kept:
        assert torch.allclose(before[name], after[name], atol=1e-3), name


SHORT = {'encoder_epochs': 0, 'epochs': 1}


@pytest.fixture(scope='module')
def short_run(tmp_path_factory, camvid):
    folder = tmp_path_factory.mktemp('short')
    small_run(camvid, folder, changes=SHORT)
    return folder


@pytest.fixture
def finished(tmp_path, short_run):
    """Return the folder of a finished run."""
    return shutil.copytree(short_run, tmp_path / 'finished')


@pytest.fixture
def unreadable(tmp_path):
    """Return a CamVid with an image that cannot be read."""
    root = make_camvid(tmp_path / 'unreadable', train=2, val=1)
    next((root / 'train').iterdir()).write_text('no image')
    return root


@pytest.mark.parametrize('changes, settings, complaint', [
    ({'epochs': 2}, {}, r'a run with other settings \(epochs\); use the same settings'),
    ({}, {'seed': 1}, r'a run with other settings \(seed\)'),
    ({}, {'initial': 'none.safetensors'}, 'none.safetensors does not exist'),
])
def test_other_settings_are_rejected_before_frames_are_read(finished, unreadable, changes,
                                                           settings, complaint):
    with pytest.raises(BadInput, match=complaint):
        small_run(unreadable, finished, changes={**SHORT, **changes}, **settings)


def test_an_unwritable_folder_is_reported_before_frames_are_read(tmp_path, unreadable):
    (tmp_path / 'file').write_text('in the way')
    for out in (tmp_path / 'file', tmp_path / 'file/out'):
        with pytest.raises(BadInput, match='cannot write to .*; choose another --out'):
            small_run(unreadable, out, changes=SHORT)


@pytest.mark.parametrize('damage', [lambda whole: whole[:len(whole) // 2], lambda whole: b'',
                                    lambda whole: b'no state'])
def test_a_damaged_state_is_reported(finished, unreadable, damage):
    state = finished / 'state.pt'
    state.write_bytes(damage(state.read_bytes()))
    with pytest.raises(BadInput, match='state.pt cannot be read as the state of a run .*; '
                                       'remove it, or choose another --out') as refusal:
        small_run(unreadable, finished, changes=SHORT)
    assert '\n' not in str(refusal.value)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_a_run_does_not_resume_with_other_frames(tmp_path, finished, split):
    counts = {'train': 2, 'val': 1}
    root = make_camvid(tmp_path / 'more', **{**counts, split: counts[split] + 1})
    with pytest.raises(BadInput, match=r'other settings \(frames\)'):
        small_run(root, finished, changes=SHORT)


@pytest.mark.parametrize('state', [{'recipe': {}, 'step': 1}, [1.0]])
def test_a_state_of_another_version_is_rejected(finished, unreadable, state):
    torch.save(state, finished / 'state.pt')
    with pytest.raises(BadInput, match='state.pt was written by another version of enet_ros; '):
        small_run(unreadable, finished, changes=SHORT)


def test_a_full_disk_is_reported(tmp_path, camvid, monkeypatch):
    def fail(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(run_state, 'write_atomically', fail)
    with pytest.raises(BadInput, match='cannot write .*state.pt: No space left .*; fix that and'):
        small_run(camvid, tmp_path, changes=SHORT)


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path, camvid):
    with pytest.raises(BadInput, match='loss is inf at step .* rate and choose another --out'):
        small_run(camvid, tmp_path, changes={'encoder_epochs': 0, 'iou_weight': 1e39})


@pytest.mark.filterwarnings('ignore')
def test_the_initial_checkpoint_is_read_once(tmp_path, camvid, short_run):
    initial = shutil.copy(short_run / 'best.safetensors', tmp_path / 'initial.safetensors')
    config = RunConfig(root=str(camvid), out=str(tmp_path / 'out'), initial=str(initial),
                       device='cpu', compile=False)
    recipe = load_recipe(changes=RECIPE)
    setup = prepare_run(make_fabric(config, recipe), config, recipe,
                        open_dataset('camvid', camvid))
    initial.unlink()
    frames = list(SyntheticFrames(64, 48, 3, 2))
    samples = TrainingSamples(frames, [], recipe, seed=0)
    Run(setup, samples, np.ones(len(CAMVID), np.int64)).save_state()
    state = torch.load(tmp_path / 'out/state.pt', weights_only=True)
    assert state['settings']['initial']['data'] == 'camvid'


def test_segnet_learns_own_classes(tmp_path):
    data = make_folder(tmp_path / 'own')
    best = small_run('', tmp_path / 'out', 'segnet', {'encoder_epochs': 0, 'epochs': 1},
                     data=str(data))
    model, spec = checkpoint.load(best)
    assert spec.architecture == 'segnet' and spec.labels.names == ['floor', 'rack', 'person']
    assert set(spec.metrics) == {'val'}  # streets have other classes


def test_erfnet_trains_in_both_stages(tmp_path, camvid):
    best = small_run(camvid, tmp_path / 'out', changes={'architecture': 'erfnet'})
    assert checkpoint.load(best)[1].architecture == 'erfnet'


def test_two_processes_average_gradients_and_sum_scores(tmp_path, camvid):
    program = Path(__file__).with_name('two_processes.py')
    result = subprocess.run(
        [sys.executable, str(program), str(camvid), str(tmp_path)], capture_output=True,
        text=True, timeout=300, env={**os.environ, 'PYTHONPATH': os.pathsep.join(
            filter(None, sys.path))})
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'process 0: agreed' in result.stdout and 'process 1: agreed' in result.stdout


@pytest.mark.parametrize('settings, complaint', [
    ({'processes': 3}, 'batch_size 2 cannot be divided among 3 processes'),
    ({'data': 'kitti'}, "data set 'kitti' is not known"),
    ({'initial': 'none.safetensors'}, 'none.safetensors does not exist'),
    ({'precision': '8'}, 'choose one of 32-true, bf16-mixed'),
    ({'seed': 20_000_000_000}, 'seed is 20000000000; it must be at most 2147483647'),
])
def test_bad_settings_are_rejected(tmp_path, camvid, settings, complaint):
    with pytest.raises(BadInput, match=complaint):
        small_run(camvid, tmp_path, **settings)


@pytest.mark.parametrize('processes, machines, environment, complaint', [
    (1, 1, {}, None),
    (4, 1, {}, None),
    (2, 3, {'TORCHELASTIC_RUN_ID': 'none', 'WORLD_SIZE': '6'}, None),
    (1, 1, {'TORCHELASTIC_RUN_ID': 'none', 'WORLD_SIZE': '2'}, 'started 2 processes, but 1 are'),
    (1, 2, {}, 'machines is 2; start the command on each of them with torchrun --nnodes 2'),
])
def test_several_machines_need_torchrun(processes, machines, environment, complaint):
    config = RunConfig(processes=processes, machines=machines)
    if complaint is None:
        return check_processes(config, environment)
    with pytest.raises(BadInput, match=complaint):
        check_processes(config, environment)


def test_compiling_needs_a_compiler(tmp_path, camvid, monkeypatch):
    monkeypatch.delenv('CXX', raising=False)
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(BadInput, match=r"'g\+\+' is not found; .* \(--no-compile"):
        small_run(camvid, tmp_path, compile=True)
