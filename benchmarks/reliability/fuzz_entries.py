"""All ways in that need no other node: what goes in, and the function that takes it.

Whatever goes in, a function returns a result or raises BadInput with one line.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from random import Random
from typing import Any

import fuzz_files as files
import fuzz_geometry as geometry
from fuzz_inputs import (
    Generator,
    any_float32,
    changed,
    dictionaries,
    floats,
    integers,
    lists,
    mutated,
    names,
    one_of,
    sampled,
    tuples,
    values,
    yaml_files,
)

from enet_ros.errors import MAX_LINE, BadInput
from enet_ros.freespace.config import FreeSpaceConfig
from enet_ros.labels import CAMVID
from enet_ros.models.checkpoint import METADATA_KEY
from enet_ros.pointcloud.config import SemanticCloudConfig
from enet_ros.training.recipe import recipe_files

white_levels = sampled(1, 255, 4095, 65535)
IMAGE_TOKENS = (b'\xff\xd8', b'\xff\xd9', b'\xff\xda', b'\xff\xc0', b'\xff\xc2', b'IHDR', b'IDAT',
                b'IEND', b'PLTE', b'tRNS', b'acTL', b'fcTL', b'fdAT', b'VP8X', b'VP8L', b'BM')
JSON_TOKENS = (b'{', b'}', b'[', b']', b'null', b'NaN', b'1e999', b'9' * 50, b'"\\ud800"', b',',
               b'[' * 200, b'-1', b'""', b'true')


@dataclass(frozen=True)
class Entry:
    """A way in: a function that makes its generator of inputs, and one that takes an input."""

    inputs: Callable[[], Generator[Any]]
    run: Callable[[Any], object]


def is_accepted(entry: Entry, sample: object) -> bool:
    """Return whether an input is accepted; raise AssertionError for an unclear refusal.

    Everything but BadInput passes through.
    """
    try:
        entry.run(sample)
    except BadInput as error:
        text = str(error)
        assert text and text.isprintable() and len(text) <= MAX_LINE, repr(text)
        return False
    return True


def _json(sample: object) -> Generator[bytes]:
    text = json.dumps(sample).encode()
    entry = changed(sample) if isinstance(sample, dict) else values
    return one_of(mutated(text, tokens=JSON_TOKENS),
                  lambda rng: json.dumps(entry(rng), default=str).encode())


def _compressed() -> Generator[tuple[bytes, str, int]]:
    samples = [data for name, data in files.images().items() if name not in ('.webp', '.bmp')]
    return tuples(mutated(*samples, tokens=IMAGE_TOKENS), names, white_levels)


def _metadata() -> Generator[dict[str, Any]]:
    return changed(files.metadata())


def _headers() -> Generator[dict[str, Any]]:
    header, metadata = files.safetensors_header(), _metadata()
    return one_of(changed(header), lambda rng: {
        **header, '__metadata__': {METADATA_KEY: json.dumps(metadata(rng), default=str)}})


def _checkpoints() -> Generator[bytes]:
    header = files.safetensors_header()
    headers = changed(header)
    return one_of(mutated(files.checkpoint_bytes()), lambda rng: files.safetensors(headers(rng)),
                  mutated(files.safetensors(header), tokens=JSON_TOKENS))


def _recipes() -> Generator[bytes]:
    return yaml_files(*(path.read_text() for path in recipe_files().values()))


ENTRIES: dict[str, Entry] = {
    'image files': Entry(lambda: mutated(*files.images().values(), tokens=IMAGE_TOKENS),
                         files.image_file),
    'label images': Entry(lambda: mutated(*files.label_images(), tokens=IMAGE_TOKENS),
                          files.label_image),
    'compressed images': Entry(_compressed, files.compressed_image),
    'raw images': Entry(lambda: tuples(geometry.raw_images(), white_levels),
                        geometry.raw_image),
    'mono8 images': Entry(lambda: geometry.raw_images(sampled('mono8', '8UC1', 'rgb8')),
                          geometry.mono_image),
    'calibrations': Entry(lambda: tuples(geometry.calibrations, sampled(False, True)),
                          geometry.camera_rays),
    'camera poses': Entry(lambda: geometry.transforms, geometry.camera_poses),
    'free space': Entry(lambda: tuples(geometry.calibrations, geometry.configs(FreeSpaceConfig),
                                       geometry.label_images), geometry.free_space),
    'odometry': Entry(lambda: tuples(geometry.odometry, integers(0, 40),
                                     sampled(0.0, 0.2, 10.0, 1e300)), geometry.fused_grids),
    'depth and labels': Entry(lambda: lambda rng: geometry.DepthSample(
        geometry.calibrations(rng), geometry.depth_images(rng), geometry.label_images(rng),
        geometry.configs(SemanticCloudConfig)(rng)), geometry.semantic_cloud),
    'checkpoints': Entry(_checkpoints, files.checkpoint_file),
    'checkpoint headers': Entry(_headers, files.checkpoint_metadata),
    'checkpoint metadata': Entry(lambda: one_of(_metadata(), values), files.model_metadata),
    '.pth files': Entry(lambda: mutated(*files.pth_files()), files.pth_file),
    '.pth pickles': Entry(lambda: mutated(files.pth_pickle(), tokens=files.PICKLE_TOKENS),
                          files.pth_with_pickle),
    'label files': Entry(lambda: yaml_files(files.LABELS_YAML), files.label_yaml),
    'data sets': Entry(lambda: yaml_files(files.DATASET), files.dataset_yaml),
    'groups': Entry(lambda: yaml_files(files.GROUPS), files.groups_yaml),
    'id tables': Entry(lambda: yaml_files(files.ID_TABLE), files.id_table_yaml),
    'palettes': Entry(lambda: mutated(files.PALETTE, tokens=(b',', b'"', b'\n', b'\0', b'9' * 99)),
                      files.palette_csv),
    'costmap files': Entry(lambda: yaml_files(files.costmap()), files.costmap_file),
    'recipes': Entry(_recipes, files.recipe_yaml),
    'parameter files': Entry(lambda: yaml_files(files.PARAMETERS), files.parameter_yaml),
    'tuning files': Entry(lambda: _json(files.TUNING), files.tuning_json),
    'cached graphs': Entry(lambda: mutated(bytes(40)), files.cache_file),
    'teacher mappings': Entry(lambda: yaml_files(files.MAPPING), files.mapping_yaml),
    'checkpoint teachers': Entry(lambda: yaml_files(files.CHECKPOINT_MAPPING),
                                 files.checkpoint_mapping_yaml),
    'teacher predictions': Entry(lambda: mutated(files.prediction_npy(), tokens=(
        b'PK\x03\x04', b"'|O'", b'(1,)', b'True', b'(' * 300, b"'<f8'", b'-1')),
        files.prediction_file),
    'teacher.json': Entry(lambda: _json({'digest': '0' * 64, 'teacher': 'teacher.onnx'}),
                          files.teacher_json),
    'training states': Entry(lambda: mutated(*files.state_files()), files.state_file),
    'videos': Entry(lambda: mutated(files.video()), files.video_file),
}
if find_spec('onnx'):
    ENTRIES |= {
        'ONNX networks': Entry(lambda: mutated(*files.onnx_files()), files.onnx_file),
        'ONNX descriptions': Entry(lambda: yaml_files(files.SIDECAR), files.sidecar_file),
    }
if find_spec('onnxruntime'):
    ENTRIES['enet import'] = Entry(lambda: mutated(*files.onnx_files()), files.onnx_import)
if find_spec('rosbags'):
    ENTRIES |= {
        'bags in MCAP': Entry(lambda: mutated(files.recordings()['.mcap']), files.mcap_file),
        'bags in SQLite': Entry(lambda: mutated(files.recordings()['.db3']), files.db3_file),
        'bag descriptions': Entry(lambda: yaml_files(
            files.recordings()['.db3.yaml'].decode()), files.bag_description),
    }


def _text(rng: Random) -> str:
    name: str = names(rng)
    return name if name.isprintable() else 'text'


_integers = integers(-2**63, 2**63 - 1)
_parameter_values = one_of(
    sampled(False, True), _integers, integers(-2, 300), floats, names, sampled(
        'cpu', 'torch', 'groups', 'mapped', '640x360', '33x32', 'linear', 'a_b'),
    lambda rng: None, lists(_text, 0, 3), lists(sampled(False, True), 1, 3), lists(floats, 0, 3),
    lists(_integers, 0, 3))


if find_spec('rclpy'):
    import fuzz_ros as ros

    from enet_ros.ros.parameter_names import leaf_fields

    def _parameters(node: str) -> Generator[tuple[str, dict[str, object]]]:
        known = dict(leaf_fields(ros.NODE_CONFIGS[node]))

        def change(rng: Random) -> tuple[str, object]:
            name = rng.choice([*known, 'use_sim_time'])
            if name in known and rng.random() < 0.8:
                return name, geometry.settings(known[name])(rng)
            return name, _parameter_values(rng)

        changes = lists(change, 1, 3)
        return lambda rng: (node, dict(changes(rng)))

    def _label_maps() -> Generator[Any]:
        channels = one_of(sampled(0.0, 0.5, 1.0), any_float32)
        int16 = integers(-2**15, 2**15 - 1)
        classes = lists(tuples(one_of(integers(0, 3), int16), names, tuples(*[channels] * 3),
                               sampled(False, True)), 0, 4)

        def plain(rng: Random) -> list[Any]:
            chosen = rng.sample(CAMVID.names, rng.randint(0, len(CAMVID.names)))
            return [(index, name, (0.5, 0.25, 1.0), index == 0)
                    for index, name in enumerate(chosen)]

        return tuples(names, one_of(sampled(255), int16), one_of(plain, classes))

    ENTRIES |= {
        'Image messages': Entry(lambda: tuples(geometry.raw_images(), white_levels),
                                ros.image_message),
        'CompressedImage messages': Entry(_compressed, ros.compressed_message),
        'CameraInfo messages': Entry(lambda: tuples(
            geometry.calibrations, integers(0, 64), integers(0, 64)), ros.camera_info),
        'LabelMap messages': Entry(_label_maps, ros.label_map),
        'Odometry messages': Entry(lambda: tuples(
            geometry.odometry, integers(0, 40), sampled(0.0, 0.2, 10.0),
            one_of(sampled('base_link'), names)), ros.odometry_messages),
    } | {f'parameters of {node}': Entry(partial(_parameters, node), ros.run_time_parameters)
         for node in ros.NODE_CONFIGS}
    if find_spec('launch_ros'):
        def _arguments() -> Generator[tuple[str, dict[str, str]]]:
            known = ('image', 'source', 'params_file', 'model', 'engine', 'device', 'namespace',
                     'use_sim_time', 'autostart', 'respawn', 'rviz', 'processes', 'odom', 'depth')
            texts = one_of(sampled('true', 'false', 'True', '0', 'one', 'two', 'synthetic',
                                   'maybe', '/dev/null', '$(env HOME)'), names)
            return tuples(sampled(*ros.LAUNCH_FILES), dictionaries(sampled(*known), texts, 3))

        ENTRIES['launch arguments'] = Entry(_arguments, ros.launch_arguments)
