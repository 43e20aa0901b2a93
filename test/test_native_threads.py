"""The thread pool of the native engine: phases are complete, and wait for no absent thread."""

import shutil
import subprocess
from pathlib import Path

import pytest
from native_cases import SOURCES

COMPILER = shutil.which('c++')
pytestmark = pytest.mark.skipif(not COMPILER, reason='c++ not found; apt install g++')


@pytest.fixture(scope='module', params=['none', 'thread', 'address,undefined'])
def driver(request, tmp_path_factory):
    """Return a program that delays the threads of jobs, under a sanitizer or none."""
    program = tmp_path_factory.mktemp('threads') / 'native_threads'
    options = [] if request.param == 'none' else [f'-fsanitize={request.param}']
    subprocess.run(
        [str(COMPILER), '-std=c++20', '-O1', '-g', '-Wall', '-Werror', '-pthread', *options,
         f'-I{SOURCES}', Path(__file__).with_name('native_threads.cpp'), SOURCES / 'threads.cpp',
         '-o', program], check=True, timeout=300)
    return program


@pytest.mark.parametrize('threads', [1, 2, 3, 8])
def test_each_phase_finds_those_before_it_complete(driver, threads):
    subprocess.run([driver, str(threads), '100'], check=True, timeout=300)


def test_a_job_is_done_without_threads_that_never_get_a_core(driver):
    subprocess.run([driver, '4', '20', 'alone'], check=True, timeout=300)
