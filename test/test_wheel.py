"""What pip builds: the core, with the native engine where it can be compiled."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip('setuptools.command.bdist_wheel', reason='needs setuptools 70.1 or newer')

ROOT = Path(__file__).parents[1]


def build_wheel(folder, **variables):
    """Build the wheel in a copy of the sources; return its name, its files, and pip's output."""
    ignored = shutil.ignore_patterns('.git', '.work', 'test', 'docs', '__pycache__')
    sources = shutil.copytree(ROOT, folder / 'sources', symlinks=True, ignore=ignored)
    result = subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', '-v', '--no-deps', '--no-build-isolation',
         '--use-pep517', '-w', folder, sources], env={**os.environ, **variables},
        capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stdout + result.stderr
    wheel, = folder.glob('*.whl')
    return wheel.name, zipfile.ZipFile(wheel).namelist(), result.stdout + result.stderr


@pytest.mark.skipif(not shutil.which('cmake') or not shutil.which('c++'),
                    reason='needs CMake and a C++ compiler')
def test_a_wheel_with_the_native_engine_is_for_one_platform(tmp_path):
    name, files, _ = build_wheel(tmp_path)
    assert '-py3-none-linux_' in name
    assert [file for file in files if '/native/' in file] == ['enet_ros/native/libenet_native.so']
    assert 'enet_ros/cli.py' in files
    # `enet segment` writes label maps into recordings without ROS.
    assert any(file.endswith('share/enet_ros/msg/LabelMap.msg') for file in files)


@pytest.mark.parametrize('variables, reason', [
    ({'PATH': ''}, 'cmake and c++ not found'),
    ({'CXX': 'absent++'}, 'absent++ not found'),
    ({'CXX': 'false'}, 'cmake failed: CMake Error at')], ids=str)
def test_a_wheel_without_the_native_engine_says_why(tmp_path, variables, reason):
    name, files, output = build_wheel(tmp_path, **variables)
    assert name.endswith('-py3-none-any.whl') and 'enet_ros/cli.py' in files
    assert not [file for file in files if '/native/' in file]
    line, = [line for line in output.splitlines() if 'without the engine native' in line]
    assert f'installed without the engine native: {reason}' in line
