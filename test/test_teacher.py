"""Learning from a teacher: mapping, runtimes, predictions, cache, loss, and whole runs."""

import csv
import json
import os
import pickle
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from killed_run import kill_run, same_weights
from sample_data import make_camvid, make_folder, write
from test_training import small_run
from torch import nn

from enet_ros.config import RunConfig
from enet_ros.data.unlabeled import UnlabeledFrames
from enet_ros.engines import onnx_session
from enet_ros.errors import BadInput
from enet_ros.labels import CAMVID, CITYSCAPES, UNLABELED
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.training.augmentation import random_crop
from enet_ros.training.loss import distillation_loss, segmentation_loss
from enet_ros.training.objective import Objective, TrainingModel
from enet_ros.training.recipe import load_recipe
from enet_ros.training.samples import TeacherData, TrainingSamples
from enet_ros.training.teacher import open_teacher
from enet_ros.training.teacher_predictions import predict_frames, predictions_folder

pytest.importorskip('onnx')
SIZE = 48, 40  # width and height of the teacher's input
CPU = torch.device('cpu')
NAMES = ['bright', 'dark', 'red', 'rest']
MAPPING = {'bright': 'Sky', 'dark': 'Road', 'red': 'Sky', 'rest': None}


class BrightnessTeacher(nn.Module):
    """Scores four classes by the first channel of every second column, at half the resolution."""

    def __init__(self, factor=8.0):
        super().__init__()
        self.scores = nn.Conv2d(3, 4, 2, stride=2)
        with torch.no_grad():
            self.scores.weight.zero_()
            self.scores.weight[0, 0, :, 0] = factor / 2
            self.scores.weight[1, 0, :, 0] = -factor / 2
            self.scores.bias.copy_(torch.tensor([-factor / 2, factor / 2, -6.0, -6.0]))

    def forward(self, image):
        return self.scores(image)


def export(module, file, shape=(1, 3, SIZE[1], SIZE[0]), dtype=torch.float32, inputs=1,
           dynamic=False):
    """Write a module as an ONNX file and return its path; a dynamic one takes any size."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter('ignore')  # PyTorch deprecates this exporter
        torch.onnx.export(module, (torch.zeros(shape, dtype=dtype),) * inputs, str(file),
                          dynamo=False, opset_version=17,
                          input_names=[f'image{n}' for n in range(inputs)],
                          dynamic_axes={'image0': {2: 'h', 3: 'w'}} if dynamic else None)
    return file


def mapping_text(classes=None, **changes):
    """Return the YAML text of a mapping."""
    entries = {'size': list(SIZE), 'channels': 'rgb', 'mean': [0, 0, 0], 'std': [1, 1, 1],
               'classes': MAPPING if classes is None else classes, **changes}
    return json.dumps({name: value for name, value in entries.items() if value is not None})


@pytest.fixture(scope='module')
def onnx_file(tmp_path_factory):
    """Return an ONNX teacher with its mapping beside it."""
    file = export(BrightnessTeacher(), tmp_path_factory.mktemp('teacher') / 'bright.onnx')
    file.with_suffix('.yaml').write_text(mapping_text())
    return file


@pytest.fixture
def teacher_copy(tmp_path, onnx_file):
    """Return a copy of the teacher, for tests that change its mapping."""
    for suffix in ('.onnx', '.yaml'):
        shutil.copy(onnx_file.with_suffix(suffix), tmp_path / f'copy{suffix}')
    return tmp_path / 'copy.onnx'


@pytest.fixture(scope='module')
def camvid(tmp_path_factory):
    return make_camvid(tmp_path_factory.mktemp('camvid'), train=2, val=1)


@pytest.fixture(scope='module')
def unlabeled_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('unlabeled')
    rng = np.random.default_rng(4)
    for name in ('a', 'b', 'c'):
        write(folder / f'{name}.png', rng.integers(0, 256, (30, 40, 3), np.uint8))
    return folder


def opened(file, mapping='', labels=CAMVID, size=(64, 48)):
    return open_teacher(str(file), str(mapping), labels, size, CPU)


def halves(size=(48, 64)):
    """Return an image whose left half is black and whose right half is white."""
    image = np.zeros((*size, 3), np.uint8)
    image[:, size[1] // 2:] = 255
    return image


# Predictions

@pytest.mark.parametrize('runtime', ['onnxruntime', 'openvino'])
def test_predictions_follow_the_mapping(onnx_file, monkeypatch, runtime):
    pytest.importorskip(runtime)
    monkeypatch.setattr(onnx_session, 'find_spec', lambda name: name == runtime)
    teacher = opened(onnx_file)
    probabilities = teacher.predict(halves())
    assert probabilities.shape == (48, 64, 11) and probabilities.dtype == np.float16
    scores = BrightnessTeacher()(torch.tensor([0.0, 1.0]).repeat_interleave(2).expand(1, 3, 2, 4))
    expected = scores.softmax(1)[0, :, 0]                              # (4, black and white)
    sky, road = CAMVID.id_of('Sky'), CAMVID.id_of('Road')
    for column, (bright, dark, red, rest) in ((8, expected[:, 0]), (56, expected[:, 1])):
        pixel = probabilities[20, column]
        assert pixel[sky] == pytest.approx((bright + red).item(), abs=1e-3)
        assert pixel[road] == pytest.approx(dark.item(), abs=1e-3)
        assert pixel.sum() == pytest.approx(1 - rest.item(), abs=2e-3)
    assert teacher.mapping.covered == [sky, road]


def test_channel_order_mean_and_std_reach_the_network(teacher_copy):
    image = np.zeros((40, 48, 3), np.uint8)
    image[..., 2] = 255                                                # blue
    sky = CAMVID.id_of('Sky')
    rgb = opened(teacher_copy).predict(image)[..., sky]
    teacher_copy.with_suffix('.yaml').write_text(mapping_text(channels='bgr'))
    bgr = opened(teacher_copy).predict(image)[..., sky]
    assert (rgb < 0.1).all() and (bgr > 0.9).all()
    teacher_copy.with_suffix('.yaml').write_text(mapping_text(mean=[-1, 0, 0], std=[1, 1, 1]))
    assert (opened(teacher_copy).predict(image)[..., sky] > 0.9).all()


def test_a_teacher_may_end_in_a_softmax(tmp_path, onnx_file):
    file = export(nn.Sequential(BrightnessTeacher(), nn.Softmax(1)), tmp_path / 'softmax.onnx')
    file.with_suffix('.yaml').write_text(mapping_text(output='probabilities'))
    assert np.allclose(opened(file).predict(halves()), opened(onnx_file).predict(halves()),
                       atol=2e-3)


def test_flip_averages_with_the_mirror_image(teacher_copy):
    image = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    alone = opened(teacher_copy).predict(image).astype(np.float32)
    mirrored = opened(teacher_copy).predict(image[:, ::-1])[:, ::-1].astype(np.float32)
    assert not np.allclose(alone, mirrored, atol=0.05)
    teacher_copy.with_suffix('.yaml').write_text(mapping_text(flip=True))
    both = opened(teacher_copy).predict(image)
    assert np.allclose(both, (alone + mirrored) / 2, atol=2e-3)
    assert np.allclose(both, opened(teacher_copy).predict(image[:, ::-1])[:, ::-1], atol=2e-3)


def test_scales_need_a_network_of_any_size(tmp_path, teacher_copy):
    image = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
    text = mapping_text(size=[64, 64], scales=[1, 0.5])
    single = {}
    for length in (64, 32):
        teacher_copy.with_suffix('.yaml').write_text(mapping_text(size=[length, length]))
        file = export(BrightnessTeacher(), teacher_copy, (1, 3, length, length))
        single[length] = opened(file).predict(image).astype(np.float32)
    teacher_copy.with_suffix('.yaml').write_text(text)
    with pytest.raises(BadInput, match='correct size or scales in the mapping'):
        opened(teacher_copy)
    file = export(BrightnessTeacher(), teacher_copy, dynamic=True)
    assert opened(file).mapping.sizes == [(64, 64), (32, 32)]
    assert np.allclose(opened(file).predict(image), (single[64] + single[32]) / 2, atol=2e-3)


def test_a_checkpoint_can_be_a_teacher():
    own = open_teacher('enet_camvid', '', CAMVID, (64, 48), CPU)
    probabilities = own.predict(halves())
    assert own.mapping.covered == list(range(11))
    assert np.allclose(probabilities.astype(np.float32).sum(2), 1, atol=5e-3)


def test_a_checkpoint_of_other_classes_needs_a_mapping(tmp_path):
    spec = ModelSpec(CITYSCAPES, width=64, height=32)
    file = tmp_path / 'city.safetensors'
    checkpoint.save(file, spec.build(), spec)
    with pytest.raises(BadInput, match='the classes of cityscapes, which are not those of camvid'):
        opened(file)
    names = dict.fromkeys(CITYSCAPES.names)
    mapping = tmp_path / 'city.yaml'
    mapping.write_text(json.dumps({'classes': {**names, 'road': 'Road', 'pole': 'Pole'}}))
    assert opened(file, mapping).mapping.covered == [CAMVID.id_of('Pole'), CAMVID.id_of('Road')]
    del names['rider']
    mapping.write_text(json.dumps({'classes': {**names, 'road': 'Road'}}))
    with pytest.raises(BadInput, match="each class of .* once, and 'rider' is only in one"):
        opened(file, mapping)


# Bad teachers

@pytest.mark.parametrize('text, complaint', [
    (mapping_text({'bright': 'Heaven'}), "class 'bright' maps to 'Heaven', which is no class of"),
    (mapping_text({**MAPPING, 'bright': None, 'dark': None, 'red': None}), 'no class of the tea'),
    (mapping_text({}), r'classes is {}; it must map each class'),
    (mapping_text(['Sky']), r"classes is \['Sky'\]; it must map each class"),
    (mapping_text().replace('"bright"', 'off'), 'maps False to .* quote words like off'),
    (mapping_text(size=[48]), r'size is \[48\]; it must be \[width, height\]'),
    (mapping_text(channels='gray'), "channels is 'gray'; choose one of rgb, bgr"),
    (mapping_text(mean=None), 'mean is None; it must be three numbers, of the channels'),
    (mapping_text(std=[1, 1, 0]), 'it must be three numbers above zero'),
    (mapping_text(output='ids'), "output is 'ids'; choose one of logits, probabilities"),
    (mapping_text(scale=2), "unknown entry 'scale'"),
    (mapping_text(scales=[]), r'scales is \[\]; it must be a list of factors of size from 0.25'),
    (mapping_text(scales=[9]), r'scales is \[9\]; it must be'),
    (mapping_text(flip='yes'), "flip is 'yes'; it must be true or false"),
])
def test_invalid_mappings_are_refused(teacher_copy, text, complaint):
    teacher_copy.with_suffix('.yaml').write_text(text)
    with pytest.raises(BadInput, match=complaint) as refusal:
        opened(teacher_copy)
    assert 'copy.yaml' in str(refusal.value) and '\n' not in str(refusal.value)


def test_the_description_of_enet_import_is_no_mapping(teacher_copy):
    teacher_copy.with_suffix('.yaml').write_text('name: mine\nclasses: []\n')
    with pytest.raises(BadInput, match='describes the network and does not map its classes'):
        opened(teacher_copy)


def test_a_teacher_without_mapping_is_refused(teacher_copy):
    teacher_copy.with_suffix('.yaml').unlink()
    with pytest.raises(BadInput, match='classes of teacher .* cannot be mapped: .*copy.yaml does '
                                       'not exist; write it, or name .* --teacher-mapping'):
        opened(teacher_copy)


def test_other_numbers_of_classes_are_refused(teacher_copy):
    teacher_copy.with_suffix('.yaml').write_text(mapping_text({**MAPPING, 'more': 'Car'}))
    with pytest.raises(BadInput, match=r'output of shape \(1, 4, 20, 24\), but its mapping has 5'):
        opened(teacher_copy).predict(halves())


class ChannelsLast(BrightnessTeacher):
    """Takes images as (1, H, W, 3)."""

    def forward(self, image):
        return super().forward(image.float().permute(0, 3, 1, 2))


class OfTwo(BrightnessTeacher):
    """Takes two images."""

    def forward(self, first, second):
        return super().forward(first + second)


@pytest.mark.parametrize('module, settings, complaint', [
    (ChannelsLast(), {'shape': (1, 40, 48, 3)},
     r'takes float32 \(1, 40, 48, 3\); by its mapping it must take float32 \(1, 3, 40, 48\) only'),
    (ChannelsLast(), {'shape': (1, 40, 48, 3), 'dtype': torch.uint8}, 'takes .*uint8'),
    (BrightnessTeacher(), {'shape': (1, 3, 64, 64)}, r'takes float32 \(1, 3, 64, 64\); .* size'),
    (OfTwo(), {'inputs': 2}, r'\(1, 3, 40, 48\) and float32 \(1, 3, 40, 48\); .* only'),
])
def test_other_input_layouts_are_refused(tmp_path, module, settings, complaint):
    file = export(module, tmp_path / 'other.onnx', **settings)
    file.with_suffix('.yaml').write_text(mapping_text())
    with pytest.raises(BadInput, match=complaint):
        opened(file)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_predictions_that_are_not_finite_are_refused(tmp_path, value):
    file = export(BrightnessTeacher(value), tmp_path / 'nan.onnx')
    file.with_suffix('.yaml').write_text(mapping_text())
    with pytest.raises(BadInput, match='teacher .*nan.onnx predicts values that are not finite'):
        opened(file).predict(halves())


@pytest.mark.parametrize('runtime', ['onnxruntime', 'openvino'])
def test_a_file_that_is_no_network_is_refused(teacher_copy, monkeypatch, runtime):
    pytest.importorskip(runtime)
    monkeypatch.setattr(onnx_session, 'find_spec', lambda name: name == runtime)
    teacher_copy.write_bytes(b'no network')
    with pytest.raises(BadInput, match='copy.onnx is not an ONNX network that .* export') as error:
        opened(teacher_copy)
    assert '\n' not in str(error.value)


def test_a_missing_runtime_is_named(onnx_file, monkeypatch):
    monkeypatch.setattr(onnx_session, 'find_spec', lambda name: None)
    with pytest.raises(BadInput, match='needs the package onnxruntime or openvino; pip install'):
        opened(onnx_file)


@pytest.mark.parametrize('name', ['missing.onnx', 'missing.safetensors', 'missing'])
def test_a_missing_teacher_is_refused(name):
    with pytest.raises(BadInput, match=f'{name} does not exist'):
        opened(name)


@pytest.mark.parametrize('settings', [{'unlabeled': ['folder']}, {'teacher_mapping': 'x.yaml'}])
def test_settings_of_the_teacher_need_one(settings):
    with pytest.raises(BadInput, match='it needs a teacher; name one with --teacher'):
        RunConfig(**settings)


# Cache

def computed(teacher, frames, cache):
    return predict_frames(teacher, frames, predictions_folder(teacher, str(cache)))


def count_runs(teacher, monkeypatch):
    """Return a list that grows with each image that a teacher predicts."""
    seen, predict = [], type(teacher).predict
    monkeypatch.setattr(type(teacher), 'predict',
                        lambda self, image: seen.append(1) or predict(self, image))
    return seen


def frames_of(count):
    rng = np.random.default_rng(0)
    return [(rng.integers(0, 256, (48, 64, 3), np.uint8), np.zeros((48, 64), np.uint8))
            for _ in range(count)]


def test_predictions_are_computed_once(tmp_path, onnx_file, monkeypatch):
    teacher, frames = opened(onnx_file), frames_of(3)
    runs = count_runs(teacher, monkeypatch)
    first = computed(teacher, frames[:2], tmp_path)
    assert len(runs) == 2
    again = computed(opened(onnx_file), frames, tmp_path)
    assert len(runs) == 3  # only the new frame
    assert len(again) == 3 and again[0].dtype == np.float16
    assert np.array_equal(first[1], again[1])
    assert np.array_equal(again[2], teacher.predict(frames[2][0]))


def test_predictions_are_sent_to_other_processes_without_the_teacher(tmp_path, onnx_file):
    frames = frames_of(1)
    predictions = computed(opened(onnx_file), frames, tmp_path)
    assert np.array_equal(pickle.loads(pickle.dumps(predictions))[0], predictions[0])


def test_damaged_predictions_are_computed_again(tmp_path, onnx_file):
    teacher, frames = opened(onnx_file), frames_of(3)
    predictions = computed(teacher, frames, tmp_path)
    whole = predictions.files[0].read_bytes()
    for file, content in zip(predictions.files, (whole[:-9], b'', b'no array')):
        file.write_bytes(content)
    with pytest.raises(BadInput, match='npy was removed or damaged; rerun the command'):
        predictions[0]
    again = computed(teacher, frames, tmp_path)
    assert again.files[0].read_bytes() == whole
    assert all(again[index].shape == (48, 64, 11) for index in range(3))


def test_processes_share_the_predictions(tmp_path, onnx_file, monkeypatch):
    teacher, frames = opened(onnx_file), frames_of(3)
    runs = count_runs(teacher, monkeypatch)
    folder = predictions_folder(teacher, str(tmp_path))
    for rank, expected in ((0, 2), (1, 3)):
        predict_frames(teacher, frames, folder, rank=rank, processes=2)
        assert len(runs) == expected
    assert len(predict_frames(teacher, frames, folder)) == len(runs) == 3


def test_another_mapping_has_another_folder(tmp_path, teacher_copy):
    first = predictions_folder(opened(teacher_copy), str(tmp_path))
    assert first == predictions_folder(opened(teacher_copy), str(tmp_path))
    assert first != predictions_folder(opened(teacher_copy, size=(80, 48)), str(tmp_path))
    teacher_copy.with_suffix('.yaml').write_text(mapping_text({**MAPPING, 'rest': 'Tree'}))
    assert first != predictions_folder(opened(teacher_copy), str(tmp_path))


@pytest.mark.parametrize('description', ['{"digest": "other"}', '[]', 'no json'])
def test_a_cache_of_another_teacher_is_refused(tmp_path, onnx_file, description):
    teacher = opened(onnx_file)
    folder = predictions_folder(teacher, str(tmp_path))
    (folder / 'teacher.json').write_text(description)
    with pytest.raises(BadInput, match='holds the predictions of another teacher or mapping; re'):
        predictions_folder(teacher, str(tmp_path))


def test_a_cache_folder_that_cannot_be_written_is_refused(tmp_path, onnx_file):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(BadInput, match='need a writable folder; name one with --teacher-cache'):
        predictions_folder(opened(onnx_file), str(tmp_path / 'file/cache'))


# Unlabeled frames

def test_broken_unlabeled_frames_are_skipped(tmp_path, unlabeled_folder):
    folder = shutil.copytree(unlabeled_folder, tmp_path / 'some')
    (folder / 'broken.jpg').write_text('no image')
    (folder / 'notes.txt').write_text('not an image file')
    frames = UnlabeledFrames([str(folder), str(unlabeled_folder)])
    assert len(frames) == 6 and len(frames.skipped) == 1
    assert 'broken.jpg is not an image' in frames.skipped[0]
    image, labels = frames[0]
    assert image.shape == (30, 40, 3) and (labels == UNLABELED).all()


def test_folders_without_a_usable_image_are_refused(tmp_path):
    with pytest.raises(BadInput, match='holds no images'):
        UnlabeledFrames([str(tmp_path)])
    (tmp_path / 'broken.png').write_text('no image')
    with pytest.raises(BadInput, match=f'no image in {tmp_path} can be decoded; choose another'):
        UnlabeledFrames([str(tmp_path)])
    with pytest.raises(BadInput, match='missing does not exist'):
        UnlabeledFrames([str(tmp_path / 'missing')])


# Samples

def test_probabilities_stay_with_their_pixels():
    """Labels as one-hot probabilities must be cropped as the labels are."""
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 6, (6, 8), np.uint8), np.ones((20, 20), np.uint8))
    one_hot = np.eye(6, dtype=np.float16)[labels]
    for _ in range(30):
        crop = random_crop(labels.shape, (96, 112), rng)
        truth, probabilities = crop.labels(labels), crop.probabilities(one_hot)
        assert probabilities.shape == (96, 112, 6) and probabilities.dtype == np.float16
        certain = probabilities.max(2) > 0.99
        assert certain.mean() > 0.2
        assert (probabilities.argmax(2) == truth)[certain].all()
        # Both end at the border of the frame, up to the pixel on it.
        assert ((probabilities.sum(2) > 0.5) != (truth != UNLABELED)).mean() < 0.03


@pytest.fixture
def taught(tmp_path, onnx_file):
    """Return real frames and a TeacherData with two unlabeled ones."""
    teacher = opened(onnx_file)
    frames = frames_of(6)
    for _, labels in frames[4:]:
        labels[:] = UNLABELED
    return frames[:4], TeacherData(computed(teacher, frames[:4], tmp_path), frames[4:],
                              computed(teacher, frames[4:], tmp_path))


def test_a_batch_has_synthetic_unlabeled_and_real_frames(taught):
    real, lessons = taught
    recipe = load_recipe(changes={'batch_size': 8, 'synthetic_share': 0.25, 'crop': 32,
                                  'unlabeled_share': 0.25, 'encoder_epochs': 0, 'epochs': 4})
    samples = TrainingSamples(real, real, recipe, 0, lessons)
    assert samples.steps == 4 * 4 // 4
    batch = [samples[index] for index in range(8)]
    assert all(sample[2].shape == (11, 32, 32) for sample in batch)
    assert [bool(sample[2].any()) for sample in batch] == 2 * [False] + 6 * [True]
    voids = [bool((sample[1] == UNLABELED).all()) for sample in batch]
    assert voids == 2 * [False] + 2 * [True] + 4 * [False]
    assert all(np.array_equal(a, b) for a, b in zip(samples[5], samples[5]))


def test_labeled_frames_need_no_prediction(taught):
    real, lessons = taught
    recipe = load_recipe(changes={'batch_size': 4, 'synthetic_share': 0.0, 'crop': 32,
                                  'unlabeled_share': 0.25})
    samples = TrainingSamples(real, [], recipe, 0, replace(lessons, real=None))
    assert [bool(samples[index][2].any()) for index in range(4)] == [True, False, False, False]


def test_the_real_frames_are_the_same_with_and_without_a_teacher(taught):
    real, lessons = taught
    recipe = load_recipe(changes={'batch_size': 4, 'crop': 32, 'unlabeled_share': 0.0})
    alone, with_teacher = (TrainingSamples(real, [], recipe, 0, each) for each in (None, lessons))
    for index in range(4):
        assert all(np.array_equal(a, b) for a, b in zip(alone[index], with_teacher[index]))


def test_whole_frames_keep_their_probabilities(taught):
    real, lessons = taught
    recipe = load_recipe('paper', {'batch_size': 2, 'unlabeled_share': 0.0})
    image, _, probabilities = TrainingSamples(real, [], recipe, 0, lessons)[0]
    number = next(n for n, (frame, _) in enumerate(real) if np.array_equal(frame, image))
    assert np.array_equal(probabilities, lessons.real[number].transpose(2, 0, 1))


def test_a_batch_without_a_real_frame_is_refused(taught):
    real, lessons = taught
    recipe = load_recipe(changes={'batch_size': 2, 'synthetic_share': 0.5,
                                  'unlabeled_share': 0.5})
    with pytest.raises(BadInput, match='1 synthetic and 1 unlabeled .* lower synthetic_share'):
        TrainingSamples(real, real, recipe, 0, lessons)


# Loss

EQUAL = torch.ones(4)  # class weights


def test_the_divergence_is_zero_for_the_teachers_own_prediction():
    probabilities = torch.randn(2, 4, 6, 6).softmax(1)
    logits = probabilities.log() + 3.0
    for temperature in (1.0, 2.0, 5.0):
        assert distillation_loss(logits, probabilities, EQUAL, temperature).item() == (
            pytest.approx(0, abs=1e-5))
        assert distillation_loss(-logits, probabilities, EQUAL, temperature).item() > 0.05


def test_the_divergence_and_the_cross_entropy_have_the_same_minimum():
    """Where the teacher's probabilities are the shares of the labels in many equal pixels."""
    weights, shares = torch.tensor([1.0, 20.0, 5.0]), torch.tensor([0.9, 0.03, 0.07])
    labels = torch.arange(3).repeat_interleave(torch.tensor([90, 3, 7])).view(1, 1, 100)
    logits = (weights * shares).log().view(1, 3, 1, 1)
    logits.requires_grad_()
    probabilities = shares.view(1, 3, 1, 1)
    for loss in (distillation_loss(logits, probabilities, weights, 1.0),
                 segmentation_loss(logits.expand(1, 3, 1, 100), labels, weights, iou_weight=0.0)):
        gradient, = torch.autograd.grad(loss, logits)
        assert gradient.abs().max() < 1e-6


def test_the_divergence_is_that_of_pytorch():
    logits, teacher_logits = torch.randn(2, 4, 6, 6), torch.randn(2, 4, 6, 6)
    expected = 9 * nn.functional.kl_div((logits / 3).log_softmax(1),
                                        (teacher_logits / 3).log_softmax(1), log_target=True,
                                        reduction='none').sum(1).mean()
    assert distillation_loss(logits, teacher_logits.softmax(1), EQUAL, 3.0).item() == (
        pytest.approx(expected.item(), rel=1e-4))


def test_pixels_without_prediction_do_not_count():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    probabilities = torch.randn(1, 3, 4, 4).softmax(1)
    probabilities[..., 2:] = 0
    weights = torch.ones(3)
    loss = distillation_loss(logits, probabilities, weights, 2.0)
    assert loss.item() == pytest.approx(
        distillation_loss(logits[..., :2], probabilities[..., :2], weights, 2.0).item())
    loss.backward()
    assert logits.grad[..., :2].any() and not logits.grad[..., 2:].any()
    assert distillation_loss(logits, torch.zeros(1, 3, 4, 4), weights, 2.0).item() == 0


@pytest.mark.parametrize('whole_network', [False, True])
def test_the_objective_adds_the_divergence(whole_network):
    torch.manual_seed(0)
    spec = ModelSpec(CAMVID, width=32, height=32)
    images = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    labels = torch.randint(0, 11, (2, 32, 32))
    probabilities = torch.randn(2, 11, 32, 32).softmax(1)
    model = TrainingModel(spec.build()).eval()
    losses = {}
    for weight in (0.0, 1.0, 3.0):
        objective = Objective(model, spec.mean, spec.std, torch.ones(11),
                              load_recipe(changes={'teacher_weight': weight}), range(11))
        losses[weight] = objective(images, labels, whole_network, probabilities)
    plain = objective(images, labels, whole_network)
    assert plain.teacher == 0 and losses[0.0].total.item() == pytest.approx(plain.total.item())
    assert losses[1.0].teacher > 0
    for weight in (1.0, 3.0):
        assert losses[weight].teacher.item() == pytest.approx(weight * losses[1.0].teacher.item())
        assert losses[weight].total.item() == pytest.approx(
            plain.total.item() + losses[weight].teacher.item(), rel=1e-5)


def test_classes_that_the_teacher_lacks_are_not_suppressed():
    """The divergence must not depend on the logits of a class that no teacher's class maps to."""
    spec = ModelSpec(CAMVID, width=32, height=32)
    model = TrainingModel(spec.build()).eval()
    objective = Objective(model, spec.mean, spec.std, torch.ones(11), load_recipe(), [0, 3])
    probabilities = torch.zeros(1, 11, 32, 32)
    probabilities[:, 0], probabilities[:, 3] = 0.7, 0.3
    images = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    void = torch.full((1, 32, 32), UNLABELED)
    before = objective(images, void, True, probabilities).teacher
    with torch.no_grad():
        model.network.output.bias[5] += 4
        model.head.bias[5] += 4
    assert objective(images, void, True, probabilities).teacher == pytest.approx(before)
    with torch.no_grad():
        model.network.output.bias[3] += 4
    assert objective(images, void, True, probabilities).teacher != pytest.approx(before)


# Whole runs

TAUGHT = {'batch_size': 4, 'unlabeled_share': 0.25, 'synthetic_share': 0.25}


def taught_run(root, out, onnx_file, unlabeled, cache, **settings):
    """Train for a few seconds with a teacher and unlabeled frames."""
    return small_run(root, out, changes=TAUGHT, teacher=str(onnx_file),
                     unlabeled=[str(unlabeled)], teacher_cache=str(cache), **settings)


def test_a_killed_run_with_a_teacher_resumes_with_identical_results(tmp_path, camvid, onnx_file,
                                                                    unlabeled_folder):
    places = onnx_file, unlabeled_folder, tmp_path / 'cache'
    best = taught_run(camvid, tmp_path / 'uninterrupted', *places)
    kill_run('test_teacher', 'taught_run', [camvid, tmp_path / 'killed', *places], step=3)
    best_again = taught_run(camvid, tmp_path / 'killed', *places)
    assert same_weights(best, best_again)
    logs = [(tmp_path / name / 'metrics.csv').read_text() for name in ('uninterrupted', 'killed')]
    assert logs[0] == logs[1]


def test_a_run_with_a_teacher_says_so(tmp_path, camvid, onnx_file, unlabeled_folder, capsys):
    folder = shutil.copytree(unlabeled_folder, tmp_path / 'unlabeled')
    (folder / 'broken.png').write_text('no image')
    best = taught_run(camvid, tmp_path / 'out', onnx_file, folder, tmp_path / 'cache',
                      evaluate_every=100)
    output = capsys.readouterr().out
    assert 'skipping an unlabeled frame: ' in output and 'broken.png' in output
    spec = checkpoint.read_spec(best)
    assert spec.training['teacher']['name'] == 'bright.onnx'
    assert spec.training['unlabeled'] == 3
    assert spec.training['teacher_temperature'] == load_recipe().teacher_temperature
    assert spec.license == ('Trained on camvid and taught by bright.onnx; the terms of use of '
                            'both apply.')
    assert '% teacher)' in output


def test_the_teachers_part_of_the_loss_is_logged(tmp_path, camvid, onnx_file, unlabeled_folder,
                                                 monkeypatch):
    monkeypatch.setattr('enet_ros.training.training_log.LOSS_STEPS', 2)
    taught_run(camvid, tmp_path / 'out', onnx_file, unlabeled_folder, tmp_path / 'cache')
    with (tmp_path / 'out/metrics.csv').open() as file:
        rows = [row for row in csv.DictReader(file) if row['loss']]
    assert rows and all(0 < float(row['teacher_loss']) < float(row['loss']) for row in rows)
    events = b''.join(file.read_bytes() for file in (tmp_path / 'out/tensorboard').iterdir())
    assert b'teacher_loss' in events


def test_a_teacher_changes_what_is_learned_and_its_settings(tmp_path, camvid, onnx_file,
                                                            unlabeled_folder):
    alone = small_run(camvid, tmp_path / 'alone')
    best = small_run(camvid, tmp_path / 'taught', teacher=str(onnx_file),
                     teacher_cache=str(tmp_path / 'cache'))
    assert not same_weights(alone, best)
    with pytest.raises(BadInput, match=r'a run with other settings \(teacher'):
        small_run(camvid, tmp_path / 'taught')
    with pytest.raises(BadInput, match=r'a run with other settings \(unlabeled\)'):
        small_run(camvid, tmp_path / 'taught', teacher=str(onnx_file),
                  teacher_cache=str(tmp_path / 'cache'), unlabeled=[str(unlabeled_folder)])


def test_a_teacher_may_teach_unlabeled_frames_only(tmp_path, camvid, onnx_file,
                                                   unlabeled_folder, capsys):
    changes = {**TAUGHT, 'teach_labeled': False}
    settings = {'teacher': str(onnx_file), 'teacher_cache': str(tmp_path / 'cache')}
    with pytest.raises(BadInput, match='nothing to teach.*name folders of them with --unlabeled'):
        small_run(camvid, tmp_path / 'none', changes=changes, **settings)
    small_run(camvid, tmp_path / 'out', changes=changes, unlabeled=[str(unlabeled_folder)],
              **settings)
    assert '% teacher)' in capsys.readouterr().out
    predictions, = (tmp_path / 'cache').iterdir()
    images = sum(path.suffix == '.png' for path in unlabeled_folder.iterdir())
    assert len(list(predictions.glob('*.npy'))) == images


def test_a_teacher_of_own_classes(tmp_path, teacher_copy):
    teacher_copy.with_suffix('.yaml').write_text(mapping_text(
        {'bright': 'floor', 'dark': 'rack', 'red': 'person', 'rest': None}))
    best = small_run('', tmp_path / 'out', data=str(make_folder(tmp_path / 'own')),
                     teacher=str(teacher_copy), teacher_cache=str(tmp_path / 'cache'),
                     changes={'encoder_epochs': 0, 'epochs': 1})
    assert checkpoint.load(best)[1].labels.names == ['floor', 'rack', 'person']


def test_a_compiled_run_with_a_teacher(tmp_path, camvid, onnx_file):
    if shutil.which(os.environ.get('CXX', 'g++')) is None:
        pytest.skip('needs a C++ compiler')
    small_run(camvid, tmp_path / 'out', teacher=str(onnx_file), compile=True,
              teacher_cache=str(tmp_path / 'cache'), scored_streets=1, evaluate_every=100,
              changes={'encoder_epochs': 0, 'epochs': 1})
