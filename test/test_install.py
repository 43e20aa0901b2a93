"""The files of an installation by colcon."""

import os
import platform
import subprocess
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2')

from ament_index_python.packages import get_package_prefix

import enet_ros
from enet_ros.engines.native_library import LIBRARY

PREFIX = Path(get_package_prefix('enet_ros'))


def test_sourcing_the_installation_puts_enet_on_path():
    environment = {**os.environ, 'PATH': '/usr/bin:/bin'}
    command = f'source {PREFIX}/share/enet_ros/local_setup.bash && command -v enet'
    result = subprocess.run(['bash', '-c', command], env=environment, capture_output=True,
                            text=True, timeout=60)
    assert result.stdout.strip() == str(PREFIX / 'bin' / 'enet'), result.stderr


@pytest.mark.parametrize('path', ['bin/enet', 'lib/enet_ros/enet'])
def test_enet_runs(path):
    result = subprocess.run([PREFIX / path, '--version'], capture_output=True, text=True,
                            timeout=60)
    assert result.returncode == 0 and enet_ros.__version__ in result.stdout


def test_files_of_the_package_are_installed():
    for path in ('config/enet.yaml', 'config/segment.rviz', 'launch/segment.launch.py',
                 'models/enet_camvid.safetensors', 'package.xml'):
        assert (PREFIX / 'share/enet_ros' / path).is_file()


@pytest.mark.skipif(platform.machine() not in ('x86_64', 'aarch64'),
                    reason='the native engine is made for x86-64 and Arm')
def test_the_native_engine_is_installed_without_its_sources():
    assert [path.name for path in LIBRARY.parent.iterdir()] == [LIBRARY.name]


@pytest.mark.skipif('.work' not in PREFIX.parts, reason='not built by scripts/setup')
def test_edited_python_files_need_no_build():
    assert Path(enet_ros.__file__).resolve() == Path(__file__).parents[1] / 'enet_ros/__init__.py'
