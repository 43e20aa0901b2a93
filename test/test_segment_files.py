"""`enet segment`: files, scores, broken input and the errors of the command."""

import cv2
import numpy as np
import pytest
import torch

from enet_ros.cli import main
from enet_ros.errors import BadInput
from enet_ros.evaluation.metrics import ConfusionMatrix
from enet_ros.evaluation.segment_files import print_report, segment_source
from enet_ros.images.files import read_image
from enet_ros.images.open_source import open_source
from enet_ros.images.postprocess import scale_labels
from enet_ros.labels import CAMVID
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.segmenter import Segmenter


@pytest.fixture(scope='module')
def segmenter():
    torch.manual_seed(0)
    spec = ModelSpec(CAMVID, width=64, height=48)
    return Segmenter(spec.build().eval(), spec, engine='torch', device='cpu')


def street(folder, count, labels=0, size=(60, 100)):
    """Write `count` images of random patches and the first `labels` label files next to them."""
    noise = np.random.default_rng(0)
    folder.mkdir()
    if labels:
        folder.with_name(folder.name + 'annot').mkdir()
    for number in range(count):
        image = cv2.resize(noise.integers(0, 256, (3, 5, 3), np.uint8), size[::-1])
        assert cv2.imwrite(str(folder / f'f{number}.png'), image)
        if number < labels:
            ids = noise.integers(0, len(CAMVID) + 1, size, np.uint8)  # with void
            annotation = folder.with_name(folder.name + 'annot') / f'f{number}.png'
            assert cv2.imwrite(str(annotation), ids)
    return folder


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_files_have_the_size_of_the_images(tmp_path, segmenter):
    source = open_source(street(tmp_path / 'in', 2))
    report = segment_source(segmenter, source, tmp_path / 'new' / 'out')
    assert (report.written, report.scored, report.broken, report.exit_code) == (2, 0, [], 0)
    assert names(tmp_path / 'new' / 'out') == ['color', 'label', 'overlay']
    for frame in source:
        label, color, over = (
            cv2.imread(str(tmp_path / 'new' / 'out' / file), cv2.IMREAD_UNCHANGED)
            for file in (f'label/{frame.name}.png', f'color/{frame.name}.png',
                         f'overlay/{frame.name}.jpg'))
        expected = scale_labels(segmenter(frame.image).labels, 100, 60)
        np.testing.assert_array_equal(label, expected)
        np.testing.assert_array_equal(color[..., ::-1], CAMVID.palette()[expected])
        blend = (frame.image / 2 + CAMVID.palette()[expected] / 2).astype(np.uint8)
        # Averages of many pixels, because JPEG blurs edges.
        over, blend = (cv2.blur(image, (25, 25)).astype(int) for image in (over[..., ::-1], blend))
        assert np.abs(over - blend).max() < 6


def test_scores_are_those_of_the_written_labels(tmp_path, segmenter, capsys):
    source = open_source(street(tmp_path / 'val', 3, labels=2))
    report = segment_source(segmenter, source, tmp_path / 'out')
    expected = ConfusionMatrix(len(CAMVID))
    for frame in source:
        if frame.truth is not None:
            path = tmp_path / 'out' / 'label' / f'{frame.name}.png'
            expected.add(frame.truth, cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
    assert expected.counts.sum() > 0
    np.testing.assert_array_equal(report.matrix.counts, expected.counts)
    assert (report.written, report.scored, report.exit_code) == (3, 2, 0)
    print_report(report)
    printed = capsys.readouterr().out
    assert '3 frames segmented' in printed
    assert f'on 2 frames with labels: mIoU {expected.mean_iou():.4f}' in printed
    for name in CAMVID.names:
        assert f'  {name} ' in printed


def test_broken_files_are_skipped_and_reported(tmp_path, segmenter, capsys):
    folder = street(tmp_path / 'val', 4, labels=4)
    whole = (folder / 'f0.png').read_bytes()
    (folder / 'f0.png').write_bytes(whole[:len(whole) // 2])
    (folder / 'f1.png').write_text('no image')
    cv2.imwrite(str(tmp_path / 'valannot' / 'f2.png'), np.zeros((5, 5), np.uint8))
    report = segment_source(segmenter, open_source(folder), tmp_path / 'out')
    assert (report.written, report.scored, report.exit_code) == (1, 1, 1)
    assert names(tmp_path / 'out' / 'label') == ['f3.png']
    errors = capsys.readouterr().err
    assert [f'f{i}.png' in line for i, line in enumerate(report.broken)] == [True] * 3
    assert all(f'skipped: {line}\n' in errors for line in report.broken)
    print_report(report)
    assert '3 frames could not be read' in capsys.readouterr().out


def test_no_readable_frame_is_a_failure(tmp_path, segmenter):
    (tmp_path / 'a.png').write_text('no image')
    report = segment_source(segmenter, open_source(tmp_path / 'a.png'), tmp_path / 'out')
    assert (report.written, report.exit_code) == (0, 1)


def test_an_endless_source_needs_a_number_of_frames(tmp_path, segmenter):
    source = open_source('synthetic', width=80, height=60)
    with pytest.raises(BadInput, match='--frames'):
        segment_source(segmenter, source, tmp_path / 'out')
    with pytest.raises(BadInput, match='at least 1'):
        segment_source(segmenter, source, tmp_path / 'out', frames=0)
    assert not (tmp_path / 'out').exists()
    report = segment_source(segmenter, source, tmp_path / 'out', frames=2)
    assert (report.written, report.scored) == (2, 2)
    assert names(tmp_path / 'out' / 'overlay') == ['000000.jpg', '000001.jpg']


@pytest.mark.parametrize('frames, written', [(None, 3), (2, 2), (9, 3)])
def test_videos_are_segmented(tmp_path, segmenter, frames, written):
    writer = cv2.VideoWriter(
        str(tmp_path / 'v.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    for _ in range(3):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    source = open_source(tmp_path / 'v.avi')
    report = segment_source(segmenter, source, tmp_path / 'out', frames)
    assert (report.written, report.exit_code) == (written, 0)
    assert len(names(tmp_path / 'out' / 'label')) == written


def test_results_are_overwritten(tmp_path, segmenter):
    folder = street(tmp_path / 'in', 1)
    (tmp_path / 'out' / 'label').mkdir(parents=True)
    (tmp_path / 'out' / 'label' / 'f0.png').write_text('old')
    segment_source(segmenter, open_source(folder), tmp_path / 'out')
    assert read_image(tmp_path / 'out' / 'label' / 'f0.png').shape == (60, 100, 3)


def test_an_unwritable_output_folder_is_reported(tmp_path, segmenter):
    source = open_source(street(tmp_path / 'in', 1))
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(BadInput, match=r'cannot write to .*file/out: .*; choose another --out'):
        segment_source(segmenter, source, tmp_path / 'file' / 'out')
    (tmp_path / 'out' / 'color' / 'f0.png').mkdir(parents=True)
    with pytest.raises(BadInput, match=r'cannot write to .*out: Is a directory'):
        segment_source(segmenter, source, tmp_path / 'out')


def test_input_images_are_not_replaced(tmp_path, segmenter):
    folder = street(tmp_path / 'color', 1)
    before = (folder / 'f0.png').read_bytes()
    with pytest.raises(BadInput, match='would replace the images'):
        segment_source(segmenter, open_source(folder), tmp_path)
    assert (folder / 'f0.png').read_bytes() == before


@pytest.mark.parametrize('arguments, complaint', [
    (['segment', '~nobody-of-this-name/x'], "'~nobody-of-this-name/x' does not exist"),
    (['segment', 'x' * 300], 'x'),
    (['segment', 'synthetic', '--seed', '-1'], 'seed is -1; it must be at least 0'),
    (['segment', 'synthetic', '--model', 'x' * 300], 'x'),
    (['import', '.', '--labels', 'labels.yaml'], '. is a folder; name the file to import'),
    (['import', '/', '--labels', 'labels.yaml'], '/ is a folder; name the file to import'),
    (['evaluate', '--root', 'x' * 300], 'x'),
])
def test_the_command_reports_errors_in_one_line(tmp_path, monkeypatch, capsys, arguments,
                                                    complaint):
    monkeypatch.chdir(tmp_path)
    if arguments[0] == 'segment':
        arguments = [*arguments, '--out', 'out', '--frames', '1', '--engine', 'torch',
                     '--device', 'cpu']
    assert main(arguments) == 1
    output = capsys.readouterr().err
    assert output.startswith('enet: ') and complaint in output and output.count('\n') == 1
