"""The native engine: PyTorch's labels on every instruction set, and clear errors."""

import ctypes
import os
import resource
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from native_cases import images, logits_of, random_model

from enet_ros.config import ModelConfig
from enet_ros.data.camvid import open_camvid
from enet_ros.engines import native_engine, native_library
from enet_ros.engines.engine import build_engine, installed_engines
from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.native_engine import NativeEngine
from enet_ros.engines.native_library import LIBRARY, NativeNetwork, load_library, variants
from enet_ros.engines.native_weights import native_weights
from enet_ros.errors import BadInput
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.stored_network import as_stored
from enet_ros.segmenter import Segmenter

pytestmark = pytest.mark.skipif(not LIBRARY.is_file(), reason='the native library is not built')
SHARED_CAMVID = Path(__file__).parents[2] / 'shared' / 'camvid'
VARIANTS = variants() if LIBRARY.is_file() else []
FLOAT32 = [name for name in VARIANTS if not name.endswith('_fp16')]
FLOAT16 = [name for name in VARIANTS if name.endswith('_fp16')]
CONFIG = ModelConfig(engine='native', precision='float32')
SMALL = InferenceSpec(64, 48)
SIZES = [(1, 1), (2, 1), (1, 9), (7, 7), (8, 8), (9, 17), (31, 33), (64, 48), (65, 40), (77, 61),
         (128, 8), (100, 24), (161, 50), (200, 113)]


@pytest.fixture(scope='module')
def model():
    return random_model(11, seed=1)


@contextmanager
def limited_memory():
    """Leave this process 256 MiB of further addresses."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def native(model, inference_spec, variant, threads=1):
    """Return a network of the library with any number of threads."""
    network, spec = model
    weights = native_weights(as_stored(network), spec)
    return NativeNetwork(variant, inference_spec, network.classes, threads, weights,
                         spec.temperature)


def check(model, inference_spec, image, predictions, share=1.0):
    """Compare labels and confidence with PyTorch in float32.

    A label may differ where the logits of the two classes differ by less than 0.2 % of the range
    of logits: rounding decides there. `share` of the pixels must agree so.
    """
    labels, confidence = predictions
    logits = logits_of(*model, image, inference_spec)
    expected = logits.argmax(0)
    assert labels.shape == expected.shape and labels.dtype == np.uint8
    assert labels.max() < len(logits)
    chosen = np.take_along_axis(logits, labels[None].astype(np.int64), 0)[0]
    span = np.ptp(logits) + 1e-6
    assert ((logits.max(0) - chosen) / span < 2e-3).mean() >= share
    assert (labels == expected).mean() > 0.998 * share or (labels != expected).sum() <= 1
    if confidence is not None:
        temperature = model[1].temperature
        probability = (torch.from_numpy(logits) / temperature).softmax(0).numpy().max(0)
        assert confidence.shape == labels.shape and confidence.dtype == np.uint8
        assert (np.abs(confidence - 255 * probability) < 1).mean() >= share


@pytest.mark.parametrize('variant', FLOAT32)
@pytest.mark.parametrize('width, height', SIZES, ids=lambda size: str(size))
def test_predictions_are_those_of_the_network_at_every_size(model, variant, width, height):
    inference_spec = InferenceSpec(width, height)
    network = native(model, inference_spec, variant)
    for name in ('noise', 'smooth'):
        image = images(width, height)[name]
        labels, confidence = network.run(image, True)
        check(model, inference_spec, image, (labels, confidence))
        assert np.array_equal(network.run(image, False)[0], labels)


@pytest.mark.parametrize('variant', FLOAT32)
@pytest.mark.parametrize('seed', range(6))
def test_predictions_at_random_sizes_classes_and_threads(variant, seed):
    generator = np.random.default_rng(100 + seed)
    classes, threads = int(generator.integers(1, 30)), int(generator.integers(1, 5))
    width, height, *output_size = map(int, generator.integers(1, 220, 4))
    model = random_model(classes, seed)
    for inference_spec in (InferenceSpec(width, height),
                           InferenceSpec(width, height, *output_size),
                           InferenceSpec(width, height, *output_size, 'linear')):
        image = images(width, height, seed)['smooth']
        predictions = native(model, inference_spec, variant, threads).run(image, True)
        check(model, inference_spec, image, predictions)


@pytest.mark.parametrize('variant', FLOAT32)
@pytest.mark.parametrize('classes', [1, 2, 3, 7, 8, 15, 16, 17, 20, 32, 33, 64, 100, 255])
def test_predictions_of_any_number_of_classes(variant, classes):
    model, inference_spec = random_model(classes), InferenceSpec(75, 41)
    image = images(75, 41)['noise']
    check(model, inference_spec, image, native(model, inference_spec, variant).run(image, True))


@pytest.mark.parametrize('variant', FLOAT32)
@pytest.mark.parametrize('inference_spec', [
    InferenceSpec(64, 48, 192, 112), InferenceSpec(75, 61, 33, 44), InferenceSpec(75, 61, 1, 1),
    InferenceSpec(64, 48, 64, 96), InferenceSpec(64, 48, 32, 48), InferenceSpec(1, 1, 50, 40),
    InferenceSpec(75, 61, 150, 122, 'linear'), InferenceSpec(75, 61, 33, 44, 'linear'),
    InferenceSpec(64, 48, 64, 96, 'linear'), InferenceSpec(64, 48, 64, 48, 'linear'),
    InferenceSpec(1, 1, 50, 40, 'linear'), InferenceSpec(75, 61, 1, 1, 'linear')],
    ids=lambda spec: (f'{spec.width}x{spec.height}-{"x".join(map(str, spec.output_size))}-'
                      f'{spec.filter}'))
def test_predictions_of_other_output_sizes(model, variant, inference_spec):
    image = images(inference_spec.width, inference_spec.height)['smooth']
    for threads in (1, 3):
        network = native(model, inference_spec, variant, threads)
        check(model, inference_spec, image, network.run(image, True))


@pytest.mark.parametrize('variant', VARIANTS)
@pytest.mark.parametrize('filter', ['nearest', 'linear'])
@pytest.mark.parametrize('classes', [5, 12])  # with and without padded classes
def test_the_temperature_changes_the_confidence_only(variant, filter, classes):
    inference_spec = InferenceSpec(75, 61, 150, 122, filter)
    network, spec = random_model(classes)
    image = images(75, 61)['smooth']
    expected = native((network, spec), inference_spec, variant).run(image, False)[0]
    for temperature in (0.01, 0.3, 2.5, 100.0):
        model = network, replace(spec, temperature=temperature)
        labels, confidence = native(model, inference_spec, variant).run(image, True)
        assert np.array_equal(labels, expected)
        if variant in FLOAT32 and temperature > 0.1:  # below, rounding errors of logits show
            check(model, inference_spec, image, (labels, confidence))
    assert (confidence == round(255 / classes)).mean() > 0.9  # at 100, nearly uniform


@pytest.mark.parametrize('variant', FLOAT32)
@pytest.mark.parametrize('name', images(8, 8))
def test_constant_areas_and_extreme_images(variant, name):
    """Pooling windows have ties in constant areas, and rounding must not decide them."""
    model, inference_spec = checkpoint.load('enet_camvid'), InferenceSpec(160, 96)
    image = images(160, 96)[name]
    predictions = native(model, inference_spec, variant).run(image, True)
    # A window or two of any image may tie but for the last digit, and along the edge of 'halves'
    # are columns of them.
    check(model, inference_spec, image, predictions, share=0.9 if name == 'halves' else 0.98)


@pytest.mark.parametrize('variant', VARIANTS)
def test_results_do_not_depend_on_threads_or_on_earlier_images(model, variant):
    inference_spec = InferenceSpec(150, 85)
    all_images = images(150, 85)
    networks = [native(model, inference_spec, variant, threads) for threads in (1, 2, 3, 4)]
    expected = {name: networks[0].run(image, True) for name, image in all_images.items()}
    for network in networks:
        for name, image in all_images.items():
            labels, confidence = network.run(image, True)
            assert np.array_equal(labels, expected[name][0])
            assert np.array_equal(confidence, expected[name][1])


@pytest.mark.parametrize('variant', FLOAT32)
@pytest.mark.parametrize('layout', [
    {'biases': False}, {'encoder_activation': 'relu'}, {'encoder_activation': 'shared_prelu'},
    {'norm_epsilon': 1e-5}, {'decoder_dropout': 0.1}], ids=str)
def test_supported_layouts(variant, layout):
    model = random_model(5, **layout)
    image = images(64, 48)['smooth']
    check(model, SMALL, image, native(model, SMALL, variant).run(image, True))


@pytest.mark.parametrize('variant', FLOAT16)
def test_float16_on_the_shipped_model(variant):
    model, inference_spec = checkpoint.load('enet_camvid'), InferenceSpec(320, 240)
    image = images(320, 240)['patches']
    labels, confidence = native(model, inference_spec, variant, 2).run(image, True)
    logits = torch.from_numpy(logits_of(*model, image, inference_spec))
    assert (labels == logits.argmax(0).numpy()).mean() >= 0.99
    assert np.abs(confidence - 255 * logits.softmax(0).max(0)[0].numpy()).mean() < 3


@pytest.mark.skipif(not SHARED_CAMVID.is_dir(), reason=f'{SHARED_CAMVID} is missing')
@pytest.mark.parametrize('variant', VARIANTS)
def test_labels_of_camvid_val(variant):
    model, frames = checkpoint.load('enet_camvid'), open_camvid(SHARED_CAMVID).splits['val']
    inference_spec = InferenceSpec(480, 360)
    network = native(model, inference_spec, variant, len(os.sched_getaffinity(0)))
    equal = []
    for index in range(len(frames)):
        image, _ = frames[index]
        expected = logits_of(*model, image, inference_spec).argmax(0)
        equal.append((network.run(image, False)[0] == expected).mean())
    assert np.mean(equal) >= (0.999 if variant in FLOAT16 else 0.99999)


class TestThreadsAndProcesses:
    def test_two_segmenters_at_once(self, tiny_model):
        sizes = [(64, 48), (101, 67)]
        segmenters = [Segmenter.load(tiny_model, width=width, height=height, engine='native')
                      for width, height in sizes]
        inputs = [images(*size)['smooth'] for size in sizes]
        expected = [segmenter(image) for segmenter, image in zip(segmenters, inputs)]
        barrier = threading.Barrier(2)

        def run(segmenter, image, expected):
            barrier.wait(timeout=60)
            for _ in range(50):
                result = segmenter(image)
                assert np.array_equal(result.labels, expected.labels)
                assert np.array_equal(result.confidence, expected.confidence)

        with ThreadPoolExecutor(2) as pool:
            for future in [pool.submit(run, *job) for job in zip(segmenters, inputs, expected)]:
                future.result(timeout=120)

    @pytest.mark.parametrize('threads', [1, 2])
    def test_one_network_in_two_threads(self, model, threads):
        network = native(model, SMALL, VARIANTS[0], threads)
        inputs = [images(64, 48)[name] for name in ('noise', 'smooth')]
        expected = [network.run(image, True) for image in inputs]

        def run(image, expected):
            for _ in range(100):
                assert np.array_equal(network.run(image, True), expected)

        with ThreadPoolExecutor(2) as pool:
            for future in [pool.submit(run, *job) for job in zip(inputs, expected)]:
                future.result(timeout=120)

    @pytest.mark.parametrize('filter', ['nearest', 'linear'])
    def test_more_threads_than_cores_beside_busy_programs(self, model, filter):
        """Threads come late to phases, miss them, and are preempted within them."""
        inference_spec = InferenceSpec(90, 150, 33, 44, filter)
        one, many = (native(model, inference_spec, VARIANTS[0], threads) for threads in (1, 12))
        generator = np.random.default_rng(0)
        busy = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(4)]
        try:
            for _ in range(200):
                image = generator.integers(0, 256, (150, 90, 3), np.uint8)
                assert np.array_equal(many.run(image, True), one.run(image, True))
        finally:
            for process in busy:
                process.kill()
                process.wait()

    def test_networks_are_made_and_destroyed_while_another_runs(self, model):
        image, other = images(64, 48)['smooth'], images(90, 70)['smooth']
        network = native(model, SMALL, VARIANTS[0], 2)
        expected = network.run(image, True)[0]
        done = threading.Event()

        def run():
            turns = 0
            while not done.is_set() or not turns:
                assert np.array_equal(network.run(image, True)[0], expected)
                turns += 1

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(run)
            try:
                for threads in (1, 2, 3, 2, 4, 2):
                    native(model, InferenceSpec(90, 70), VARIANTS[0], threads).run(other, False)
            finally:
                done.set()
            running.result(timeout=60)

    @pytest.mark.parametrize('threads', [1, 2, 4])
    def test_parent_and_child_of_a_fork_go_on(self, model, threads):
        image = images(64, 48)['noise']
        network = native(model, SMALL, VARIANTS[0], threads)
        expected = network.run(image, True)[0]
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(lambda: [network.run(image, True) for _ in range(30)])
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    fresh = native(model, SMALL, VARIANTS[0], threads).run(image, True)[0]
                    code = 0 if (np.array_equal(network.run(image, True)[0], expected)
                                 and np.array_equal(fresh, expected)) else 2
                finally:
                    os._exit(code)
            running.result(timeout=60)
        waiter = threading.Timer(60, os.kill, (child, 9))
        waiter.start()
        _, status = os.waitpid(child, 0)
        waiter.cancel()
        assert os.waitstatus_to_exitcode(status) == 0
        assert np.array_equal(network.run(image, True)[0], expected)

    def test_the_process_ends_while_a_thread_segments(self, tiny_model, tmp_path):
        program = f"""
import threading, numpy as np
from enet_ros.segmenter import Segmenter
segmenter = Segmenter.load({str(tiny_model)!r}, engine='native')
image, started = np.zeros((48, 64, 3), np.uint8), threading.Event()
def run():
    while True:
        segmenter(image)
        started.set()
threading.Thread(target=run, daemon=True).start()
started.wait()
"""
        result = subprocess.run([sys.executable, '-c', program], cwd=tmp_path, capture_output=True,
                                text=True, timeout=120)
        assert (result.returncode, result.stderr) == (0, '')


class TestSettings:
    def test_the_engine_says_what_runs(self, model):
        engine = build_engine(*model, SMALL, CONFIG)
        assert engine.name == 'native cpu float32' and engine.inference_spec == SMALL
        assert engine.variant == FLOAT32[0]
        assert engine.threads == len(os.sched_getaffinity(0))
        assert 'native' in installed_engines()

    def test_auto_takes_the_fastest_variant(self, model):
        engine = NativeEngine(*model, SMALL, replace(CONFIG, precision='auto'))
        assert engine.variant == VARIANTS[0]

    def test_float16_needs_weights_in_its_range(self, monkeypatch):
        monkeypatch.setattr(native_engine, 'variants', lambda: ['avx512_fp16', 'avx2'])
        small, large = np.float32([1, -2]), np.float32([1, -7e4])
        fastest = native_engine._fastest_variant
        assert fastest('auto', small) == fastest('float16', small) == 'avx512_fp16'
        assert fastest('float32', small) == fastest('auto', large) == 'avx2'
        with pytest.raises(BadInput, match='beyond the range of float16; choose precision float'):
            fastest('float16', large)

    @pytest.mark.parametrize('precision', ['bfloat16', 'float16'])
    def test_a_precision_without_a_variant_is_an_error(self, model, monkeypatch, precision):
        monkeypatch.setattr(native_engine, 'variants', lambda: ['avx2', 'baseline'])
        with pytest.raises(BadInput, match=f'does not support {precision} on this processor; '
                                           'choose precision auto or float32'):
            NativeEngine(*model, SMALL, replace(CONFIG, precision=precision))

    def test_more_threads_than_cores_are_limited(self, model, monkeypatch, caplog):
        monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: {0})
        engine = NativeEngine(*model, SMALL, replace(CONFIG, threads=3))
        assert engine.threads == 1
        assert 'model.threads is 3, but this process may use 1 core' in caplog.text

    def test_unknown_variants_are_an_error(self, model):
        with pytest.raises(BadInput, match='engine native cannot segment .*sse9'):
            NativeEngine(*model, SMALL, CONFIG, variant='sse9')


class TestBadInput:
    @pytest.mark.parametrize('architecture', ['segnet', 'erfnet'])
    def test_another_architecture(self, model, architecture):
        spec = ModelSpec(model[1].labels, architecture, width=64, height=48)
        with pytest.raises(BadInput, match='engine native does not support .*; choose engine'):
            NativeEngine(spec.build(), spec, SMALL, CONFIG)

    @pytest.mark.parametrize('layout, complaint', [
        ({'initial_pool': 3}, 'only initial_pool 2, and the model has 3'),
        ({'quarter_of': 'input'}, "only quarter_of 'output', and the model has 'input'"),
        ({'pair_activation': True}, 'only pair_activation False'),
        ({'expansion_activation': True}, 'only expansion_activation False'),
        ({'decoder_activation': 'prelu'}, "only decoder_activation 'relu'"),
        ({'upsampling_kernel': 2}, 'only upsampling_kernel 3'),
        ({'output_kernel': 3}, 'only output_kernel 2')], ids=str)
    def test_another_layout(self, layout, complaint):
        with pytest.raises(BadInput, match=f'{complaint}.*; choose engine openvino or torch'):
            NativeEngine(*random_model(3, **layout), SMALL, CONFIG)

    @pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
    def test_weights_that_are_no_numbers(self, value):
        network, spec = random_model(3)
        with torch.no_grad():
            list(network.parameters())[40].flatten()[0] = value
        with pytest.raises(BadInput, match='NaN or infinite; train it again'):
            NativeEngine(network, spec, SMALL, CONFIG)

    def test_too_large_a_size(self, model):
        for size in (40_000, 5_000_000_000):
            with pytest.raises(BadInput, match='up to 32768 pixels.* choose a smaller size'):
                NativeEngine(*model, InferenceSpec(size, 8), CONFIG)

    def test_a_network_that_does_not_fit_in_memory(self, model):
        weights = native_weights(as_stored(model[0]), model[1])
        with limited_memory(), pytest.raises(
                BadInput, match='cannot segment 9000x9000 pixels: .*memory'):
            NativeNetwork(VARIANTS[0], InferenceSpec(9000, 9000), 11, 1, weights)

    def test_threads_that_cannot_be_started(self, model):
        weights = native_weights(as_stored(model[0]), model[1])
        with limited_memory(), pytest.raises(
                BadInput, match='cannot segment .*: 300 threads cannot be started'):
            NativeNetwork(VARIANTS[0], SMALL, 11, 300, weights)

    def test_weights_of_another_network(self):
        for count in (10, 10**6):
            with pytest.raises(BadInput, match='engine native cannot segment .*weights'):
                NativeNetwork(VARIANTS[0], SMALL, 3, 1, np.zeros(count, np.float32))

    @pytest.mark.parametrize('classes', [0, 256])
    def test_an_impossible_number_of_classes(self, classes):
        with pytest.raises(BadInput, match=f'engine native cannot segment .*{classes} classes'):
            NativeNetwork(VARIANTS[0], SMALL, classes, 1, np.zeros(9, np.float32))

    def test_a_gpu(self, model):
        with pytest.raises(BadInput, match='engine native runs on CPUs, and device cuda is'):
            NativeEngine(*model, SMALL, replace(CONFIG, device='cuda'))


class TestLibrary:
    @pytest.fixture
    def copy(self, tmp_path):
        """Return a copy of the library that a test may damage."""
        return Path(shutil.copy(LIBRARY.resolve(), tmp_path / 'libenet_native.so'))

    def test_a_missing_library(self, model, monkeypatch, tmp_path):
        path = tmp_path / 'libenet_native.so'
        monkeypatch.setattr(native_engine, 'load_library', lambda: load_library(path))
        with pytest.raises(BadInput, match='engine native is not built: .* is missing; reinstall'):
            NativeEngine(*model, SMALL, CONFIG)

    @pytest.mark.parametrize('share', [0, 1e-4, 0.3, 0.9, 0.9999])
    def test_a_truncated_library(self, copy, share):
        data = copy.read_bytes()
        copy.write_bytes(data[:int(share * len(data))])
        with pytest.raises(BadInput, match='is truncated; reinstall|is not a library; reinstall'):
            load_library(copy)

    def test_a_library_for_another_processor(self, copy):
        data = bytearray(copy.read_bytes())
        data[18] ^= 0xff  # e_machine
        copy.write_bytes(data)
        with pytest.raises(BadInput, match='was built for another processor; reinstall'):
            load_library(copy)

    def test_another_library(self, copy):
        libm = Path('/proc/self/maps').read_text()
        libm = next(line.split()[-1] for line in libm.splitlines() if 'libc.so' in line)
        shutil.copy(libm, copy)
        with pytest.raises(BadInput, match='does not load: .*enet_version'):
            load_library(copy)

    def test_a_library_of_another_version(self, copy, monkeypatch):
        found = native_library.VERSION
        monkeypatch.setattr(native_library, 'VERSION', 99)
        with pytest.raises(BadInput, match=f'has version {found} .* version 99 is needed; '
                                           'reinstall'):
            load_library(copy)

    def test_only_the_c_interface_is_exported(self):
        nm = shutil.which('nm')
        if not nm:
            pytest.skip('nm is not installed')
        symbols = subprocess.run([nm, '-D', '--defined-only', LIBRARY], capture_output=True,
                                 text=True, check=True).stdout.split()[2::3]
        assert sorted(symbols) == ['enet_create', 'enet_destroy', 'enet_memory', 'enet_run',
                                   'enet_variants', 'enet_version']
        header = Path(__file__).parents[1] / 'enet_ros' / 'native' / 'enet_native.h'
        assert f'#define ENET_NATIVE_VERSION {native_library.VERSION} ' in header.read_text()

    @pytest.mark.parametrize('variant', ['avx512_fp16', 'avx512', 'avx2', 'baseline', 'neon_fp16',
                                         'neon'])
    def test_variants_share_no_symbols(self, variant):
        """The linker may replace a weak symbol by that of another instruction set."""
        nm, objects = shutil.which('nm'), LIBRARY.resolve().parent / 'CMakeFiles'
        file = objects / f'enet_native_{variant}.dir' / 'variant.cpp.o'
        if not nm or not file.is_file():
            pytest.skip('nm or the object file is missing')
        lines = subprocess.run([nm, '--defined-only', '-C', file], capture_output=True, text=True,
                               check=True).stdout.splitlines()
        weak = [line.split(maxsplit=2)[2] for line in lines if line.split()[1] in 'uVvWw']
        weak = [name for name in weak if not name.startswith('DW.ref.')]  # addresses only
        assert [name for name in weak if f'enet::{variant}::' not in name] == []
        defined = [line.split(maxsplit=2)[2] for line in lines if line.split()[1] in 'TDBR']
        assert defined and all(f'enet::{variant}::' in name for name in defined)


def test_the_specification_has_the_size_of_the_header():
    assert ctypes.sizeof(native_library._Spec) == 8 * 4
