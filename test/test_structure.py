"""The layers of modules, types and lint."""

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from enet_ros.models.registry import ARCHITECTURES

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / 'enet_ros'

# Each layer may import itself and the layers above it in this list.
LAYERS = [
    ['errors', 'json_data', 'input_file', 'yaml_loader', 'yaml_data', 'logger',
     'packages'],
    ['paths'],
    ['labels', 'label_yaml', 'config', 'timing'],
    ['label_space'],
    ['models'],
    ['freespace'],
    ['synthetic'],
    ['images'],
    ['pointcloud'],
    ['engines'],
    ['segmenter'],
    ['latency'],
    ['data'],
    ['evaluation'],
    ['training'],
    ['benchmark'],
    ['cli'],
    ['ros'],
]
ROS = {'rclpy', 'sensor_msgs', 'std_msgs', 'std_srvs', 'diagnostic_msgs', 'lifecycle_msgs',
       'rcl_interfaces', 'builtin_interfaces', 'cv_bridge', 'vision_msgs', 'launch', 'launch_ros',
       'nav_msgs', 'geometry_msgs', 'tf2_ros', 'bondpy'}
# Runtimes and tools that are extras: imported where they are used, not when a module is loaded.
EXTRAS = {'rosbags', 'yaml', 'onnx', 'onnxruntime', 'openvino', 'cv_bridge', 'vision_msgs',
          'tf2_ros', 'bondpy', 'lightning_fabric', 'tensorboard', 'matplotlib',
          'cityscapesscripts'}
TYPED_FOLDERS = ('launch', 'benchmarks', 'benchmarks/nodes', 'benchmarks/reliability', 'scripts',
                 'docs')
MODULES = [path for path in sorted(PACKAGE.rglob('*.py')) if path.name != '__init__.py']


def _layer(module):
    layers = [index for index, members in enumerate(LAYERS) if module in members]
    assert layers, f'{module} is in no layer; add it to LAYERS'
    return layers[0]


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, 'imports are absolute'
            if node.module == 'enet_ros':
                yield from (f'enet_ros.{name.name}' for name in node.names)
            else:
                yield node.module


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_upwards(path):
    tree = ast.parse(path.read_text())
    own = path.relative_to(PACKAGE).with_suffix('').parts[0]
    for name in _imports(tree):
        package, _, rest = name.partition('.')
        if package == 'enet_ros':
            first = rest.split('.')[0]
            if first == 'msg':
                assert own == 'ros', f'{path} imports messages'
            elif first != '__version__':
                assert _layer(first) <= _layer(own), f'{path} imports {name} from below'
        assert package not in ROS or own == 'ros', f'{path} imports {name}'


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_extras_are_imported_where_they_are_used(path):
    at_load = [node for node in ast.parse(path.read_text()).body
               if isinstance(node, (ast.Import, ast.ImportFrom))]
    loaded = {name.split('.')[0] for name in _imports(ast.Module(at_load, []))}
    assert not loaded & EXTRAS


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_architectures_are_known_to_the_models_only(path):
    """Other modules ask the registry; they name no network class and compare no name with one."""
    if path.parent.name == 'models':
        return
    tree = ast.parse(path.read_text())
    classes = {architecture.network.__name__ for architecture in ARCHITECTURES.values()}
    imported = {alias.name for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert not imported & classes
    assert not {f'enet_ros.models.{name}' for name in ARCHITECTURES} & set(_imports(tree))
    compared = {part.value for node in ast.walk(tree) if isinstance(node, ast.Compare)
                for side in (node.left, *node.comparators) for part in ast.walk(side)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)}
    assert not compared & ARCHITECTURES.keys()


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_core_has_one_logger(path):
    """Other loggers would not propagate where launch has replaced the logger class."""
    calls = [node for node in ast.walk(ast.parse(path.read_text()))
             if isinstance(node, ast.Attribute) and node.attr in ('getLogger', 'getChild')]
    assert not calls or path.name == 'logger.py'


def test_the_core_loads_without_ros():
    program = f'import sys; sys.modules.update(dict.fromkeys({sorted(ROS)})); import enet_ros.cli'
    subprocess.run([sys.executable, '-c', program], cwd=ROOT, check=True, timeout=120)


@pytest.mark.skipif(not find_spec('mypy'), reason='needs mypy')
def test_types():
    result = subprocess.run(
        [sys.executable, '-m', 'mypy', '--cache-dir', ROOT / '.work/mypy_cache', '--config-file',
         ROOT / 'mypy.ini', PACKAGE, *sorted(path for folder in TYPED_FOLDERS
                                             for path in ROOT.glob(f'{folder}/*.py'))],
        cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr


def test_lint():
    result = subprocess.run([sys.executable, '-m', 'ruff', 'check', '--no-cache', ROOT],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
