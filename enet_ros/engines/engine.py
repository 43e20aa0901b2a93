"""What every engine offers, and the one place that chooses among them."""

from typing import Protocol

import numpy as np

from enet_ros.config import ENGINES
from enet_ros.errors import BadInput


class Engine(Protocol):
    """A network made ready to run.

    name says what really runs, for logs and diagnostics: runtime, device and precision.
    """

    name: str

    def infer(self, image: np.ndarray, confidence: bool) -> tuple:
        """Segment one image.

        image uint8 (H, W, 3) RGB -> labels uint8 (H, W), and confidence uint8 (H, W), 255 times
        the top class's softmax probability, or None where it was not asked for.
        """


def choose_engine(model, spec, engine='auto', device='auto'):
    """Return the engine for a model; raise BadInput where what was asked for is not to be had."""
    if engine not in ENGINES:
        raise BadInput(f'unknown engine {engine!r}; choose one of {", ".join(ENGINES)}')
    from enet_ros.engines.torch_engine import TorchEngine
    return TorchEngine(model, spec, device)
