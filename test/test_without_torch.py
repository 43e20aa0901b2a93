"""Models run where PyTorch is not installed, in processes that cannot import it."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
import torch
import yaml
from sample_data import make_camvid

from enet_ros.engines.engine import installed_engines
from enet_ros.engines.export import export_model
from enet_ros.engines.native_library import LIBRARY, variants
from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.segmenter import Segmenter
from enet_ros.synthetic.street import SyntheticStreet

HIDE = "import sys; sys.modules['torch'] = None"  # as if it were missing
COMMANDS = """
import contextlib, io, json, logging
from enet_ros.cli import main
results = []
for arguments in json.loads(sys.argv[1]):
    logging.getLogger().handlers.clear()  # main adds one for the stderr of the command
    with contextlib.redirect_stdout(io.StringIO()) as out, \\
            contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(arguments)
    results.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(results))
"""
WIDTH, HEIGHT = 160, 96

pytestmark = pytest.mark.skipif(not LIBRARY.is_file(), reason='the native library is not built')
needs_onnx = pytest.mark.skipif(not (find_spec('onnx') and find_spec('onnxruntime')),
                                reason='onnx and onnxruntime are not installed')


def run(program, *arguments, hide=True):
    """Run a program in a new process and return what it printed."""
    result = subprocess.run(
        [sys.executable, '-c', f'{HIDE if hide else "import sys"}\n{program}',
         *map(str, arguments)],
        cwd='/',  # not the sources, which lack the native library
        capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


def run_commands(*commands):
    """Run `enet` with lists of arguments and return (exit code, stdout, stderr) of each."""
    text = json.dumps([list(map(str, command)) for command in commands])
    return json.loads(run(COMMANDS, text).splitlines()[-1])


@pytest.fixture(scope='module')
def picture(tmp_path_factory):
    """Return an image file with a street."""
    file = tmp_path_factory.mktemp('picture') / 'street.png'
    image = SyntheticStreet(WIDTH, HEIGHT, seed=3).render(0).image
    assert cv2.imwrite(str(file), image[:, :, ::-1])
    return file


@pytest.fixture(scope='module')
def expected(picture):
    """Return the labels of PyTorch for the picture."""
    segmenter = Segmenter.load('enet_camvid', width=WIDTH, height=HEIGHT, engine='torch',
                               device='cpu')
    return segmenter(cv2.imread(str(picture)), 'bgr').labels


SEGMENT = f"""
import cv2
import numpy as np
from enet_ros.segmenter import Segmenter
model, picture, out, engine = sys.argv[1:]
segmenter = Segmenter.load(model, width={WIDTH}, height={HEIGHT}, engine=engine)
np.save(out, segmenter(cv2.imread(picture), 'bgr').labels)
print(segmenter.engine.name, segmenter.engine_reason, 'torch' in sys.modules, sep='|')
"""


@pytest.mark.parametrize('hide', [True, False])
def test_the_native_engine_imports_no_torch(picture, expected, tmp_path, hide):
    """Where PyTorch is hidden, its name stands in sys.modules."""
    name, reason, imported = run(SEGMENT, 'enet_camvid', picture, tmp_path / 'labels.npy',
                                 'native', hide=hide).strip().split('|')
    assert name.startswith('native cpu float') and reason.startswith('requested')
    assert imported == str(hide)
    share = (np.load(tmp_path / 'labels.npy') == expected).mean()
    # Rounding may decide a tie of a max pooling differently, which a few labels depend on.
    assert share > (0.999 if name.endswith('float32') else 0.99)


def test_auto_takes_the_native_engine_and_says_why(picture, expected, tmp_path):
    name, reason, _ = run(SEGMENT, 'enet_camvid', picture, tmp_path / 'labels.npy',
                          'auto').split('|')
    assert name.startswith('native cpu float')
    assert ('without the package torch, engine native is the only one that runs checkpoints'
            in reason)
    assert (np.load(tmp_path / 'labels.npy') == expected).mean() > 0.999


@needs_onnx
def test_an_exported_file_is_imported_and_segmented(picture, expected, tmp_path):
    model, labels = tmp_path / 'net.onnx', tmp_path / 'classes.yaml'
    export_model('enet_camvid', model, WIDTH, HEIGHT)
    labels.write_text(yaml.safe_dump({'name': 'camvid', 'classes': [
        {'name': label.name, 'color': list(label.color), 'drivable': label.drivable}
        for label in CAMVID.classes]}))
    results = run_commands(
        ['import', model, '--labels', labels],
        *(['segment', picture, '--model', model, '--out', tmp_path / engine, '--engine', engine,
           '--device', 'cpu'] for engine in ('onnxruntime', 'auto')))
    for code, _, err in results:
        assert code == 0, err
    for engine in ('onnxruntime', 'auto'):
        found = cv2.imread(str(tmp_path / engine / 'label/street.png'), cv2.IMREAD_GRAYSCALE)
        assert (found == expected).mean() > 0.999


def test_commands_for_robots(picture, expected, tmp_path, tiny_model):
    make_camvid(tmp_path / 'camvid')
    size = '--width', WIDTH, '--height', HEIGHT
    segment, evaluate, info, costmap = run_commands(
        ['segment', picture, '--out', tmp_path / 'out', '--engine', 'native', *size],
        ['evaluate', '--model', tiny_model, '--root', tmp_path / 'camvid', '--split', 'val'],
        ['info', 'enet_camvid'], ['nav2-config'])
    assert segment[0] == 0 and '1 frames segmented' in segment[1]
    found = cv2.imread(str(tmp_path / 'out/label/street.png'), cv2.IMREAD_GRAYSCALE)
    assert (found == expected).mean() > 0.99
    assert evaluate[0] == 0 and 'expected calibration error' in evaluate[1]
    assert info[0] == 0 and costmap[0] == 0
    assert '363,791, 0.69 MiB in float16' in info[1]
    assert 'operations    unknown without the package torch; pip install torch\n' in info[1]
    assert [line for line in (segment[2] + evaluate[2] + info[2] + costmap[2]).splitlines()
            if 'Error' in line or 'torch' in line] == []


def test_what_needs_torch_says_so_in_one_line(picture, tmp_path):
    spec = ModelSpec(CAMVID, 'erfnet', width=64, height=48)
    erfnet, other = tmp_path / 'erfnet.safetensors', tmp_path / 'other.safetensors'
    checkpoint.save(erfnet, spec.build(), spec)
    spec = ModelSpec(CAMVID, width=64, height=48, architecture_options={'initial_pool': 3})
    checkpoint.save(other, spec.build(), spec)
    foreign = tmp_path / 'foreign.pth'
    torch.save({}, foreign)
    segment = 'segment', picture, '--out', tmp_path / 'out', '--device', 'cpu'
    cases = {
        ('train', '--root', tmp_path): 'enet train needs the package torch',
        ('export', 'enet_camvid', '--out', tmp_path / 'x.onnx'):
            'enet export needs the package torch',
        ('import', foreign, '--labels', tmp_path / 'x.yaml'):
            f'the import of {foreign} needs the package torch',
        ('calibrate', 'enet_camvid', '--out', tmp_path / 'x.safetensors'):
            'enet calibrate needs the package torch',
        ('benchmark', '--quick'): 'enet benchmark needs the package torch',
        (*segment, '--engine', 'torch'): 'engine torch needs the package torch',
        (*segment, '--engine', 'auto', '--model', erfnet): 'engine native does not support ERFNet',
        (*segment, '--engine', 'native', '--model', erfnet):
            'engine native does not support ERFNet',
        (*segment, '--engine', 'auto', '--model', other):
            'engine native supports only initial_pool 2, and the model has 3',
        **{(*segment, '--engine', engine): f'engine {engine} needs the package torch to run a '
                                           'checkpoint'
           for engine in ('openvino', 'onnxruntime') if engine in installed_engines()}}
    if len({variant.endswith('_fp16') for variant in variants()}) == 1:
        cases['tune',] = 'so there is nothing to measure'
    for message, (code, out, err) in zip(cases.values(), run_commands(*cases)):
        assert (code, out, err.count('\n')) == (1, '', 1), err
        assert message in err and 'pip install torch' in err


def test_without_the_native_library_too(tiny_model):
    program = f"""
from pathlib import Path
from enet_ros.engines import engine
from enet_ros.errors import BadInput
from enet_ros.segmenter import Segmenter
engine.LIBRARY = Path('/nonexistent')
try:
    Segmenter.load({str(tiny_model)!r})
except BadInput as error:
    print(error)
"""
    assert 'runs checkpoints, and it is not built; pip install torch, or reinstall' in run(program)


def test_a_damaged_package_is_named(picture, tmp_path):
    (tmp_path / 'torch').mkdir()
    (tmp_path / 'torch/__init__.py').write_text("raise ImportError('libtorch.so is damaged')")
    result = subprocess.run(
        [sys.executable, '-m', 'enet_ros.cli', 'segment', picture, '--out', tmp_path / 'out',
         '--engine', 'torch'], capture_output=True, text=True, timeout=120,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(tmp_path), *sys.path])})
    assert (result.returncode, result.stderr) == (
        1, 'enet: engine torch needs the package torch (libtorch.so is damaged); pip install '
           'torch\n')


def test_a_node_publishes_labels(start, probe, camera, tmp_path, monkeypatch):
    pytest.importorskip('rclpy', reason='needs ROS 2')
    from camera import result_of
    from sensor_msgs.msg import Image

    (tmp_path / 'sitecustomize.py').write_text(HIDE)
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(
        [str(tmp_path), os.environ.get('PYTHONPATH', '')]))
    node, topic = '/segmentation_node', '/segmentation_node/label'
    process = start({'model.device': 'auto'})
    probe.subscribe(Image, topic)
    probe.bring_up(node)
    camera.wait_for_node()
    message = camera.send_until(lambda message: result_of(probe, topic, message))
    assert result_of(probe, topic, message).encoding == 'mono8'
    assert 'without the package torch, engine native is the only one' in process.output()
