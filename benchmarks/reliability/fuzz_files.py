"""Files that robots and people hand to the package: one function for each kind, and samples."""

import io
import json
import shutil
import struct
import tempfile
import zipfile
from functools import cache
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import torch

from enet_ros.data.folder import open_folder
from enet_ros.engines.cache import load_or_build
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_import import StatedInput, import_network
from enet_ros.engines.onnx_network_graph import network_graph
from enet_ros.engines.tuning import table
from enet_ros.engines.tuning_file import load_tuning
from enet_ros.errors import BadInput
from enet_ros.freespace.nav2_config import check_costmap, costmap_yaml
from enet_ros.images.bag_source import BagSource
from enet_ros.images.encodings import decode_compressed
from enet_ros.images.files import LabelReader, read_image, read_pixels
from enet_ros.images.video_source import VideoSource
from enet_ros.label_space.files import LabelSpaceFiles
from enet_ros.label_space.groups import read_groups
from enet_ros.label_space.id_table import read_id_table
from enet_ros.label_space.palette import read_palette
from enet_ros.label_space.space import label_space
from enet_ros.label_yaml import read_label_set
from enet_ros.labels import CAMVID
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint_import import PYTORCH_ENET, _translate, import_checkpoint
from enet_ros.models.loading import load_model
from enet_ros.models.onnx_network import OnnxNetwork, describe_content, read_onnx
from enet_ros.models.onnx_spec import OnnxSpec, read_onnx_spec
from enet_ros.ros.parameter_file import read_parameter_file
from enet_ros.ros.street_camera import StreetCamera
from enet_ros.training.recipe import load_recipe
from enet_ros.training.run_state import FORMAT_VERSION, read_state
from enet_ros.training.teacher_mapping import checkpoint_mapping, read_mapping
from enet_ros.training.teacher_predictions import TeacherPredictions, predictions_folder
from enet_ros.yaml_data import read_yaml

CLASSES = [{'name': 'floor', 'color': [128, 64, 128], 'drivable': True},
           {'name': 'rack', 'color': [70, 70, 70]}]
LABELS_YAML = {'name': 'warehouse', 'classes': CLASSES, 'void_id': 9}
SIDECAR = {'name': 'warehouse', 'classes': CLASSES, 'size': [64, 48], 'channels': 'rgb',
           'mean': [0.5, 0.4, 0.3], 'std': [0.2, 0.25, 0.3], 'output': 'logits'}
DATASET = {**LABELS_YAML, 'size': [64, 48], 'val': {'images': 'images', 'labels': 'labels'}}
GROUPS = {'vehicle': ['Car', 'Bicyclist'], 'ground': ['Road', 'Pavement']}
ID_TABLE = {'ids': {'Road': 7, 'Car': 26}, 'void': -1, 'encoding': '16SC1'}
PALETTE = b'name,red,green,blue,alpha,id\n' + b''.join(
    f'{label.name},{",".join(map(str, label.color))},255,{index}\n'.encode()
    for index, label in enumerate(CAMVID.classes))
PARAMETERS = {'/**': {'ros__parameters': {'use_sim_time': False}},
              'front': {'replay_node': {'ros__parameters': {'width': 64, 'height': 48, 'seed': 3}},
                        'freespace_node': {'ros__parameters': {'camera': {'z': 1.5}}}}}
MAPPING = {'size': [64, 48], 'channels': 'rgb', 'mean': [0.5, 0.4, 0.3], 'std': [0.2, 0.2, 0.3],
           'classes': {'road': 'Road', 'car': 'Car', 'sky': None}, 'scales': [1, 0.5],
           'flip': True}
CHECKPOINT_MAPPING = {'classes': {name: name for name in CAMVID.names}, 'flip': True}
ENVIRONMENT = {'settings': ['torch float32', 'native float16'], 'cores': 2}
TUNING = {'environment': ENVIRONMENT, 'failures': [
    {'engine': 'native', 'precision': 'float16', 'reason': 'not built'}], 'measurements': [
    {'engine': 'torch', 'precision': 'float32', 'milliseconds': 20.5, 'agreement': 1.0}]}
SETTINGS = {'data': 'camvid', 'seed': 0}
PREDICTION_SHAPE = 4, 6, 3


@cache
def folder() -> Path:
    """Return a folder for the files, which is removed when the process ends."""
    keep = tempfile.TemporaryDirectory(prefix='enet_ros_fuzz_')
    _KEPT.append(keep)
    return Path(keep.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def write(name: str, data: bytes) -> Path:
    path = folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# Images.


@cache
def images() -> dict[str, bytes]:
    """Return small images by suffix."""
    rng = np.random.default_rng(1)
    smooth = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (32, 24))
    samples = {name: cv2.imencode(name, smooth)[1].tobytes()
               for name in ('.png', '.jpg', '.webp', '.bmp')}
    samples['.progressive.jpg'] = cv2.imencode(
        '.jpg', smooth, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    samples['.16.png'] = cv2.imencode('.png', smooth.astype(np.uint16) * 200)[1].tobytes()
    samples['.gray.png'] = cv2.imencode('.png', smooth[..., 0])[1].tobytes()
    return samples


def label_images() -> list[bytes]:
    ids = np.arange(32 * 24, dtype=np.uint8).reshape(24, 32) % 12
    colors = np.ascontiguousarray(CAMVID.palette()[ids][..., ::-1])
    return [cv2.imencode('.png', image)[1].tobytes() for image in (ids, colors)]


def image_file(data: bytes) -> object:
    path = write('image.png', data)
    return read_image(path).mean(), read_pixels(path).mean()


def label_image(data: bytes) -> object:
    return LabelReader(CAMVID, colors=True)(write('label.png', data)).max()


def compressed_image(sample: tuple[bytes, str, int]) -> object:
    decoded = decode_compressed(*sample)
    assert decoded.image.dtype == np.uint8 and decoded.image.shape[2] == 3
    return decoded.rgb().mean()


# Models.


@cache
def spec() -> checkpoint.ModelSpec:
    return checkpoint.ModelSpec(CAMVID, width=64, height=48)


@cache
def checkpoint_bytes() -> bytes:
    path = folder() / 'sample.safetensors'
    torch.manual_seed(1)
    checkpoint.save(path, spec().build(), spec())
    return path.read_bytes()


def metadata() -> dict[str, Any]:
    return json.loads(spec().to_json())


def safetensors_header() -> dict[str, Any]:
    """Return the header of a file with one tensor of 8 bytes."""
    return {'__metadata__': {'enet_ros': spec().to_json()},
            'output.weight': {'dtype': 'F16', 'shape': [2, 2], 'data_offsets': [0, 8]}}


def safetensors(header: object, payload: bytes = bytes(8)) -> bytes:
    text = json.dumps(header, default=str).encode()
    return struct.pack('<Q', len(text)) + text + payload


def checkpoint_file(data: bytes) -> object:
    return checkpoint.load(write('net.safetensors', data))


def checkpoint_metadata(header: object) -> object:
    return checkpoint.read_spec(write('spec.safetensors', safetensors(header))).to_json()


def model_metadata(data: object) -> object:
    return checkpoint.ModelSpec.from_json(json.dumps(data, default=str)).to_json()


@cache
def pth_files() -> list[bytes]:
    state = {'initial_block.main_branch.weight': torch.ones(13, 3, 3, 3),
             'transposed_conv.weight': torch.ones(16, 11, 3, 3)}
    options = {**PYTORCH_ENET, 'encoder_activation': 'relu', 'decoder_activation': 'relu'}
    network = checkpoint.ModelSpec(CAMVID, architecture_options=options).build()
    whole = {_translate(name): value.half()
             for name, value in checkpoint.floating_point(network).items()}
    files = []
    for content in (state, {'state_dict': state, 'epoch': 3, 'miou': np.float64(0.5)}, whole):
        for zipped in (True, False):
            file = io.BytesIO()
            torch.save(content, file, _use_new_zipfile_serialization=zipped)
            files.append(file.getvalue())
    return files


@cache
def pth_pickle() -> bytes:
    """Return the pickle inside a file of torch.save."""
    with zipfile.ZipFile(io.BytesIO(pth_files()[0])) as archive:
        return archive.read('archive/data.pkl')


PICKLE_TOKENS = (b'ctorch._utils\n_rebuild_tensor_v2\n', b'ccollections\nOrderedDict\n', b')',
                 b'R', b'q\x00', b'h\x00', b'K\xff', b'M\xff\xff', b'J\xff\xff\xff\x7f',
                 b'\x8a\x08' + b'\xff' * 7 + b'\x7f', b'(', b't', b'\x85', b'\x86', b'\x87', b'}',
                 b'u', b's', b'cos\nsystem\n', b'ctorch._utils\n_rebuild_sparse_tensor\n',
                 b'ctorch._utils\n_rebuild_meta_tensor_no_storage\n', b'cbuiltins\nbytearray\n',
                 b'ctorch\nBFloat16Storage\n', b'Q', b'b', b'0', b'2', b'N', b'\x88', b'.')


def pth_file(data: bytes) -> object:
    return import_checkpoint(write('net.pth', data), CAMVID, 64, 48)


def pth_with_pickle(data: bytes) -> object:
    """Import a file of torch.save whose pickle is `data`."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(pth_files()[0])) as archive, \
            zipfile.ZipFile(file, 'w') as changed:
        for name in archive.namelist():
            changed.writestr(name, data if name.endswith('data.pkl') else archive.read(name))
    return pth_file(file.getvalue())


@cache
def onnx_files() -> list[bytes]:
    """Return networks of two classes: plain, with a function, with external data."""
    from onnx import TensorProto, helper, numpy_helper
    weight = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3, 1, 1)
    image = helper.make_tensor_value_info('image', TensorProto.FLOAT, [1, 3, 48, 64])
    scores = helper.make_tensor_value_info('scores', TensorProto.FLOAT, [1, 2, 48, 64])
    opsets = [helper.make_opsetid('', 17)]
    conv = helper.make_node('Conv', ['image', 'weight'], ['features'])
    inside = helper.make_function('own', 'Twice', ['x'], ['y'], [
        helper.make_node('Add', ['x', 'x'], ['y'])], opsets)
    external = numpy_helper.from_array(weight, 'weight')
    external.ClearField('raw_data')
    external.data_location = TensorProto.EXTERNAL
    for key, value in (('location', 'net.bin'), ('offset', '0'), ('length', '24')):
        external.external_data.add(key=key, value=value)
    write('net.bin', weight.tobytes())
    models = []
    for node, functions, tensor in (
            (helper.make_node('Relu', ['features'], ['scores']), [], None),
            (helper.make_node('Twice', ['features'], ['scores'], domain='own'), [inside], None),
            (helper.make_node('Relu', ['features'], ['scores']), [], external)):
        graph = helper.make_graph([conv, node], 'net', [image], [scores],
                                  [tensor or numpy_helper.from_array(weight, 'weight')])
        models.append(helper.make_model(
            graph, opset_imports=[*opsets, helper.make_opsetid('own', 1)], functions=functions,
            ir_version=9).SerializeToString())
    return models


def onnx_file(data: bytes) -> object:
    path = write('net.onnx', data)
    sidecar_file(json.dumps(SIDECAR).encode())
    network, described = load_model(path)
    assert isinstance(network, OnnxNetwork) and isinstance(described, OnnxSpec)
    describe_content(network)
    return network_graph(network, described, InferenceSpec(64, 48), confidence=True)


def onnx_import(data: bytes) -> object:
    network = read_onnx(write('net.onnx', data))
    labels = write('labels.yaml', json.dumps(LABELS_YAML).encode())
    return import_network(network, read_yaml(labels), labels, StatedInput(),
                          np.zeros((48, 64, 3), np.uint8)).shares()


def sidecar_file(data: bytes) -> object:
    return read_onnx_spec(write('net.yaml', data)).to_entries()


# Labels.


def label_yaml(data: bytes) -> object:
    return read_label_set(write('labels.yaml', data)).palette()


def dataset_yaml(data: bytes) -> object:
    write('images/a.png', images()['.png'])
    write('labels/a.png', label_images()[0])
    return [split.names for split in open_folder(write('data.yaml', data)).splits.values()]


def groups_yaml(data: bytes) -> object:
    files = LabelSpaceFiles('groups', groups=read_groups(write('groups.yaml', data)))
    space = label_space(CAMVID, files)
    return space.table(), space.palette(), space.label_set(), space.warning()


def id_table_yaml(data: bytes) -> object:
    files = LabelSpaceFiles('mapped', table=read_id_table(write('ids.yaml', data)))
    space = label_space(CAMVID, files)
    return space.table(), space.summary()


def palette_csv(data: bytes) -> object:
    files = LabelSpaceFiles('classes', palette=read_palette(write('palette.csv', data)))
    return label_space(CAMVID, files).palette()


def costmap_file(data: bytes) -> object:
    return check_costmap(str(write('costmap.yaml', data)), CAMVID)


def costmap() -> str:
    return costmap_yaml('enet_camvid', CAMVID)


# Settings and caches.


def recipe_yaml(data: bytes) -> object:
    return load_recipe(write('recipe.yaml', data)).unlabeled_per_batch


def parameter_yaml(data: bytes) -> object:
    path = write('params.yaml', data)
    values = read_parameter_file(path, 'replay_node', '/front')
    return values, str(StreetCamera.from_parameter_file(str(path), 'front', 'freespace_node'))


def tuning_json(data: bytes) -> object:
    tuning = load_tuning(write('tuning.json', data), ENVIRONMENT)
    return None if tuning is None else (tuning.chosen, tuning.reason(), list(table(tuning)))


def cache_file(data: bytes) -> object:
    write('graph.onnx', data)
    return load_or_build(folder(), 'graph.onnx', lambda: b'built again')


def mapping_yaml(data: bytes) -> object:
    return read_mapping(write('teacher.yaml', data), CAMVID).sizes


def checkpoint_mapping_yaml(data: bytes) -> object:
    return checkpoint_mapping(spec(), CAMVID, 'teacher', write('teacher.yaml', data)).covered


@cache
def prediction_npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(PREDICTION_SHAPE, np.float16))
    return file.getvalue()


def prediction_file(data: bytes) -> object:
    return TeacherPredictions([write('prediction.npy', data)], PREDICTION_SHAPE)[0].mean()


def teacher_json(data: bytes) -> object:
    teacher = cast(Any, SimpleNamespace(digest='0' * 64, name='teacher.onnx'))
    write(f'teacher-{"0" * 16}/teacher.json', data)
    return predictions_folder(teacher, str(folder()))


@cache
def state_files() -> list[bytes]:
    files = []
    for settings in (SETTINGS, {**SETTINGS, 'seed': 1}):
        file = io.BytesIO()
        torch.save({'format_version': FORMAT_VERSION, 'settings': settings, 'best_score': 0.5,
                    'trainer': {'step': torch.tensor(3)},
                    'log': {'rows': [], 'losses': [], 'tensorboard_rows': 0}}, file)
        files.append(file.getvalue())
    return files


def state_file(data: bytes) -> object:
    return read_state(write('state.pt', data), SETTINGS, torch.device('cpu'))


# Recordings and videos.


@cache
def recordings() -> dict[str, bytes]:
    """Return recordings of a raw and a compressed image, by suffix, and their description."""
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore
    store = get_typestore(Stores.ROS2_HUMBLE)
    types = store.types
    header = types['std_msgs/msg/Header'](
        stamp=types['builtin_interfaces/msg/Time'](sec=1, nanosec=0), frame_id='camera')
    messages = [
        ('/image', types['sensor_msgs/msg/Image'](
            header=header, height=4, width=6, encoding='rgb8', is_bigendian=0, step=18,
            data=np.arange(72, dtype=np.uint8))),
        ('/image/compressed', types['sensor_msgs/msg/CompressedImage'](
            header=header, format='jpeg', data=np.frombuffer(images()['.jpg'], np.uint8)))]
    files = {}
    for suffix, plugin in (('.db3', StoragePlugin.SQLITE3), ('.mcap', StoragePlugin.MCAP)):
        path = folder() / f'sample{suffix}'
        with Writer(path, version=9, storage_plugin=plugin) as bag:
            for time, (topic, message) in enumerate(messages):
                connection = bag.add_connection(topic, message.__msgtype__, typestore=store)
                bag.write(connection, time, store.serialize_cdr(message, message.__msgtype__))
        files[suffix] = next(path.glob(f'*{suffix}')).read_bytes()
        files[f'{suffix}.yaml'] = (path / 'metadata.yaml').read_bytes()
        shutil.rmtree(path)
    return files


def _read_bag(path: Path) -> object:
    source = BagSource(path)
    frames = iter(source)
    read: list[str] = []
    errors: list[BadInput] = []
    for _ in range(3):
        try:
            read += [frame.name for frame in islice(frames, 1)]
        except BadInput as error:
            errors.append(error)
    if errors and not read:
        raise errors[0]
    return source.connections()


def mcap_file(data: bytes) -> object:
    return _read_bag(write('bag.mcap', data))


def db3_file(data: bytes) -> object:
    return _read_bag(write('bag.db3', data))


def bag_description(data: bytes) -> object:
    """Read a recording whose metadata.yaml is `data`."""
    write('bag/sample.db3_0.db3', b'')
    write('bag/sample.db3.db3', recordings()['.db3'])
    return _read_bag(write('bag/metadata.yaml', data).parent)


@cache
def video() -> bytes:
    path = folder() / 'sample.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 10, (32, 24))
    for value in (30, 90):
        writer.write(np.full((24, 32, 3), value, np.uint8))
    writer.release()
    return path.read_bytes()


def video_file(data: bytes) -> object:
    return sum(1 for _ in islice(iter(VideoSource(write('video.avi', data))), 3))
