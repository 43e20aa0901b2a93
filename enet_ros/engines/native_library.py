"""The shared library of the native engine, and the networks that it makes.

`native/enet_native.h` describes the C functions.
"""

import ctypes
import os
import struct
import threading
import weakref
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.errors import BadInput

LIBRARY = Path(__file__).parents[1] / 'native' / 'libenet_native.so'
VERSION = 2  # ENET_NATIVE_VERSION of the header
LARGEST_SIZE = 32768  # of an image and of predictions, in pixels
REMEDY = ('reinstall the package where CMake finds a C++ compiler, or choose engine openvino or '
          'torch')


class _Spec(ctypes.Structure):
    """The EnetSpec of the header."""

    _fields_ = [*((name, ctypes.c_int32) for name in (
        'width', 'height', 'output_width', 'output_height', 'classes', 'threads', 'bilinear')),
        ('temperature', ctypes.c_float)]


@cache
def load_library(path: Path = LIBRARY) -> ctypes.CDLL:
    """Return the library with its functions declared.

    Raise BadInput if it is missing, damaged, built for another processor, or of another version.
    """
    _check_file(path)
    try:
        library = ctypes.CDLL(str(path))
        library.enet_version.restype = ctypes.c_int32
        version = library.enet_version()
    except (OSError, AttributeError) as error:
        raise BadInput(f'the library {path} of engine native does not load: {error}; '
                       f'{REMEDY}') from error
    if version != VERSION:
        raise BadInput(f'the library {path} of engine native has version {version} of its '
                       f'interface, but version {VERSION} is needed; {REMEDY}')
    library.enet_variants.restype = ctypes.c_char_p
    library.enet_create.restype = ctypes.c_void_p
    library.enet_create.argtypes = [
        ctypes.c_char_p, ctypes.POINTER(_Spec), ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p,
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    library.enet_run.restype = None
    library.enet_run.argtypes = [ctypes.c_void_p] * 4
    library.enet_memory.restype = ctypes.c_size_t
    library.enet_memory.argtypes = [ctypes.c_void_p]
    library.enet_destroy.restype = None
    library.enet_destroy.argtypes = [ctypes.c_void_p]
    return library


def _check_file(path: Path) -> None:
    """Raise BadInput if a file is not a complete library for this processor.

    Loading a truncated library would end the process with a signal.
    """
    try:
        data = path.read_bytes()
        with open('/proc/self/exe', 'rb') as file:
            own = file.read(20)
    except FileNotFoundError:
        raise BadInput(f'engine native is not built: {path} is missing; {REMEDY}') from None
    except OSError as error:
        raise BadInput(f'the library {path} of engine native cannot be read '
                       f'({error.strerror}); {REMEDY}') from error
    if len(data) < 64 or data[:4] != b'\x7fELF':
        raise BadInput(f'{path} is not a library; {REMEDY}')
    if data[4:6] != own[4:6] or data[18:20] != own[18:20]:  # word size, byte order, processor
        raise BadInput(f'the library {path} of engine native was built for another processor; '
                       f'{REMEDY}')
    if data[4:6] == b'\x02\x01':  # 64 bits, little endian: the table of sections comes last
        offset, = struct.unpack_from('<Q', data, 0x28)
        size, count = struct.unpack_from('<HH', data, 0x3a)
        if len(data) < offset + size * count:
            raise BadInput(f'the library {path} of engine native is truncated; {REMEDY}')


def variants() -> list[str]:
    """Return the instruction sets that the library and this processor have, fastest first."""
    names: bytes = load_library().enet_variants()
    return [name for name in names.decode().split(',') if name]


def precisions() -> set[str]:
    """Return the precisions in which the library computes on this processor."""
    return {precision_of(variant) for variant in variants()}


def precision_of(variant: str) -> str:
    return 'float16' if variant.endswith('_fp16') else 'float32'


class NativeNetwork:
    """A network of the native library, for images of one size. Concurrent calls take turns.

    variant: one of `variants()`.
    weights: float32, as `native_weights` returns them.
    temperature: divides the logits before the softmax that gives the confidence.
    threads: number of threads that work on an image.

    Raise BadInput if the library refuses the arguments or memory does not suffice.
    """

    def __init__(self, variant: str, inference_spec: InferenceSpec, classes: int, threads: int,
                 weights: NDArray[np.float32], temperature: float = 1.0) -> None:
        width, height = inference_spec.width, inference_spec.height
        output_width, output_height = inference_spec.output_size
        if max(width, height, output_width, output_height) > LARGEST_SIZE:
            raise BadInput(f'engine native supports sizes up to {LARGEST_SIZE} pixels, and '
                           f'{width}x{height} with predictions of {output_width}x{output_height} '
                           'is requested; choose a smaller size')
        self._library = load_library()
        bilinear = inference_spec.resizes and inference_spec.filter == 'linear'
        spec = _Spec(width, height, output_width, output_height, classes, threads, bilinear,
                     temperature)
        nearest = inference_spec.nearest_columns_and_rows() or (None, None)
        columns, rows = (None if indices is None else indices.astype(np.int32)
                         for indices in nearest)
        message = ctypes.create_string_buffer(256)
        self._handle = self._library.enet_create(
            variant.encode(), ctypes.byref(spec), weights.ctypes.data, weights.size,
            _address(columns), _address(rows), message, len(message))
        if not self._handle:
            raise BadInput(f'engine native cannot segment {width}x{height} pixels: '
                           f'{message.value.decode()}; choose a smaller size, or engine openvino '
                           'or torch')
        self._output_shape = output_height, output_width
        self._lock = threading.Lock()
        _networks.add(self)
        # Not at exit: a daemon thread may still be running the network then.
        weakref.finalize(self, self._library.enet_destroy, self._handle).atexit = False

    @property
    def memory(self) -> int:
        """Return the bytes that the network has allocated."""
        size: int = self._library.enet_memory(self._handle)
        return size

    def run(self, image: NDArray[np.uint8], confidence: bool
            ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """Return labels and, if requested, confidence, as `Engine.infer` does."""
        image = np.ascontiguousarray(image)
        labels = np.empty(self._output_shape, np.uint8)
        probability = np.empty(self._output_shape, np.uint8) if confidence else None
        with self._lock:
            self._library.enet_run(self._handle, image.ctypes.data, labels.ctypes.data,
                                   _address(probability))
        return labels, probability

    def unlock(self) -> None:
        """Forget a call of another thread, which a child process does not have."""
        self._lock = threading.Lock()


_networks: weakref.WeakSet[NativeNetwork] = weakref.WeakSet()


def _unlock_networks() -> None:
    for network in _networks:
        network.unlock()


os.register_at_fork(after_in_child=_unlock_networks)


def _address(array: NDArray[np.int32] | NDArray[np.uint8] | None) -> int | None:
    return None if array is None else array.ctypes.data
