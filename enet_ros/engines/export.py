"""Export of a checkpoint as an ONNX file, checked against the network."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from os import PathLike

import numpy as np
import torch
from numpy.typing import NDArray

from enet_ros.engines.inference_spec import InferenceSpec
from enet_ros.engines.onnx_export import INPUT, to_onnx
from enet_ros.engines.street_image import street_image
from enet_ros.errors import BadInput
from enet_ros.models import checkpoint
from enet_ros.models.checkpoint import ModelSpec
from enet_ros.models.network import Network
from enet_ros.paths import user_path, write_atomically

MIN_AGREEMENT = 0.9999  # share of pixels at which the graph and the network must agree

# image uint8 (1, H, W, 3) -> uint8 (1, H, W) each: labels, then confidence if the graph has it
Run = Callable[[NDArray[np.uint8]], Sequence[NDArray[np.uint8]]]


def export_model(path: str | PathLike[str], out: str | PathLike[str], width: int = 0,
                 height: int = 0, confidence: bool = False, dynamic: bool = False
                 ) -> tuple[int, int]:
    """Write a checkpoint as an ONNX file and return the (width, height) of its images in pixels.

    The file's metadata holds the ModelSpec, as a checkpoint's does. Raise BadInput if a package
    is missing, `out` exists or cannot be written, or the graph's labels differ from the network's.

    path: checkpoint file or name of a shipped model.
    out: file to write.
    width, height: size of the images, pixels; 0 means the model's own.
    confidence: add the confidence output.
    dynamic: accept images of any size that is a multiple of the network's stride.
    """
    out = user_path(out)
    if out.exists():
        raise BadInput(f'{out} exists already; remove it, or name another file with --out')
    load_graph = _installed_runtime()
    network, spec = checkpoint.load(path)
    inference_spec = InferenceSpec(width or spec.width, height or spec.height)
    graph = _add_metadata(to_onnx(network, spec, inference_spec, confidence, dynamic), spec)
    size = inference_spec.width, inference_spec.height
    run = load_graph(graph)
    _check_agreement(run, network, spec, size)
    if dynamic:
        _check_agreement(run, network, spec,
                         (size[0] + network.stride, size[1] + 2 * network.stride))
    try:
        write_atomically(out, graph)
    except OSError as error:
        raise BadInput(f'cannot write {out}: {error.strerror}; choose a file in a writable '
                       'folder') from error
    return size


def _installed_runtime() -> Callable[[bytes], Run]:
    """Return a function that loads an ONNX file into an installed runtime."""
    if find_spec('onnxruntime'):
        return _load_into_onnxruntime
    if find_spec('openvino'):
        return _load_into_openvino
    raise BadInput('the check of an exported model needs the package onnxruntime or openvino; '
                   'pip install onnxruntime')


def _load_into_onnxruntime(graph: bytes) -> Run:
    import onnxruntime
    session = onnxruntime.InferenceSession(graph, providers=['CPUExecutionProvider'])
    return lambda image: session.run(None, {INPUT: image})


def _load_into_openvino(graph: bytes) -> Run:
    import openvino
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(graph), 'CPU',
                                  {'INFERENCE_PRECISION_HINT': 'f32'})
    return lambda image: compiled(image).to_tuple()


def _add_metadata(graph: bytes, spec: ModelSpec) -> bytes:
    import onnx
    model = onnx.load_from_string(graph)
    onnx.helper.set_model_props(model, {checkpoint.METADATA_KEY: spec.to_json()})
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _check_agreement(run: Run, network: Network, spec: ModelSpec,
                     size: tuple[int, int]) -> None:
    """Raise BadInput if graph and network disagree on a synthetic image of size (W, H)."""
    width, height = size
    image = street_image(width, height)
    labels, *confidence = (output[0] for output in run(image[None]))
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (spec.mean, spec.std))
    x = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        logits = network((x - mean) / std)
        probability, expected = (logits / spec.temperature).softmax(1)[0].max(0)
    agreement = (labels == expected.numpy()).mean()
    if confidence:
        is_close = np.abs(confidence[0] - 255 * probability.numpy()) < 2
        agreement = min(agreement, is_close.mean())
    if agreement < MIN_AGREEMENT:
        raise BadInput(f'the exported graph agrees with the model on {100 * agreement:.2f} % of a '
                       f'test image, less than the required {100 * MIN_AGREEMENT} %; nothing is '
                       'written; use the versions of torch, onnx and the runtime in '
                       'constraints.txt')
