"""Export of a model as an ONNX file that is known to answer as the model does."""

from importlib.util import find_spec

import numpy as np
import torch

from enet_ros.engines.graph import InferenceSpec
from enet_ros.engines.onnx_graph import INPUT, to_onnx
from enet_ros.errors import BadInput
from enet_ros.images.preprocess import network_input
from enet_ros.models import checkpoint
from enet_ros.paths import user_path, write_atomically
from enet_ros.synthetic.street import SyntheticStreet

EQUAL = 0.9999  # least share of labels that must be the model's own


def export_model(path, out, width=0, height=0, confidence=False, dynamic=False):
    """Write a checkpoint as an ONNX file and return (width, height) of its images.

    path is what `checkpoint.load` takes; width and height (pixels), 0 taking the model's own,
    confidence and dynamic are as in `to_onnx`. The model's spec is in the metadata, as a
    checkpoint has it. Raise BadInput where a package is missing, `out` exists or cannot be
    written, or the graph does not give the model's labels.
    """
    out = user_path(out)
    if out.exists():
        raise BadInput(f'{out} exists already; remove it, or name another file with --out')
    run = _runtime()
    model, spec = checkpoint.load(path)
    task = InferenceSpec(width or spec.width, height or spec.height)
    graph = _with_spec(to_onnx(model, spec, task, confidence, dynamic), spec)
    sizes = [(task.width, task.height)]
    if dynamic:
        sizes.append((task.width + model.stride, task.height + 2 * model.stride))
    exported = run(graph)
    for size in sizes:
        _require_parity(exported, model, spec, size)
    try:
        write_atomically(out, graph)
    except OSError as error:
        raise BadInput(f'cannot write {out}: {error.strerror}; name a file in a folder that '
                       'exists and can be written') from error
    return sizes[0]


def _runtime():
    """Return what makes a function of images from a graph, by a runtime that is installed."""
    if not find_spec('onnx'):
        raise BadInput('to export a model needs the package onnx; pip install onnx')
    if find_spec('onnxruntime'):
        return _onnxruntime
    if find_spec('openvino'):
        return _openvino
    raise BadInput('an exported model is checked with the package onnxruntime or openvino, and '
                   'neither is installed; pip install onnxruntime')


def _onnxruntime(graph):
    import onnxruntime
    session = onnxruntime.InferenceSession(graph, providers=['CPUExecutionProvider'])
    return lambda image: session.run(None, {INPUT: image})


def _openvino(graph):
    import openvino
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(graph), 'CPU',
                                  {'INFERENCE_PRECISION_HINT': 'f32'})
    return lambda image: compiled(image).to_tuple()


def _with_spec(graph, spec):
    import onnx
    model = onnx.load_from_string(graph)
    onnx.helper.set_model_props(model, {checkpoint.METADATA_KEY: spec.to_json()})
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _require_parity(exported, model, spec, size):
    width, height = size
    street = SyntheticStreet(max(width, 32), max(height, 32)).render(0)
    image = network_input(street.image, width, height)
    labels, *confidence = (answer[0] for answer in exported(image[None]))
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (spec.mean, spec.std))
    x = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        probability, expected = model((x - mean) / std).softmax(1)[0].max(0)
    equal = (labels == expected.numpy()).mean()
    if confidence:
        near = np.abs(confidence[0] - 255 * probability.numpy()) < 2
        equal = min(equal, near.mean())
    if equal < EQUAL:
        raise BadInput(f'the graph answers {100 * equal:.2f} % of a test image as the model does, '
                       f'and at least {100 * EQUAL} % are needed; it is not written. Export it '
                       'with the versions of torch, onnx and the runtime in constraints.txt')
