"""The temperature with which the confidence of a network is closest to its accuracy."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from enet_ros.data.frames import LabeledImages
from enet_ros.errors import BadInput
from enet_ros.evaluation.logits import Logits
from enet_ros.models.checkpoint import TEMPERATURES

PRECISION = 1e-3  # a last step of Newton's method that is smaller, relative, leaves no error
MAX_PASSES = 30
EVERY = 8  # of the frames that give a first estimate


class Likelihood(NamedTuple):
    """The mean negative log-likelihood of the pixels, and its derivatives by 1 / temperature."""

    nll: float
    slope: float
    curvature: float


def fit_temperature(logits: Logits, frames: LabeledImages, start: float = 1.0) -> float:
    """Return the temperature that minimizes the negative log-likelihood of the true classes.

    It is computed over all pixels with a true class (Guo et al., On Calibration of Modern Neural
    Networks, 2017).

    frames: images and labels at the size at which the network runs. start: a temperature.

    Raise BadInput if no temperature between TEMPERATURES is the minimum.
    """
    inverse = 1 / start
    # The minimum over some frames is a start that saves passes over all of them.
    for step in (EVERY, 1):
        minimum = _minimum(logits, frames, range(0, len(frames), step), inverse)
        inverse = minimum or inverse
    if minimum is None:
        raise BadInput(f'no temperature from {TEMPERATURES[0]:g} to {TEMPERATURES[1]:g} fits: the '
                       "model's labels are all correct, or no better than chance, on these "
                       'frames; choose frames on which some labels are wrong')
    return 1 / minimum


def _minimum(logits: Logits, frames: LabeledImages, indices: Sequence[int], inverse: float
             ) -> float | None:
    """Return the 1 / temperature that is best on some frames, or None if it is out of range.

    The likelihood is convex in 1 / temperature, so that Newton's method finds the minimum in a
    few passes over the frames. inverse: where it starts.
    """
    least, most = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    for _ in range(MAX_PASSES):
        likelihood = _likelihood(logits, frames, indices, inverse)
        if likelihood.slope > 0:
            most = inverse
        else:
            least = inverse
        following = inverse - likelihood.slope / max(likelihood.curvature, 1e-12)
        if not least < following < most:
            following = float(np.sqrt(least * most))
        if abs(following / inverse - 1) < PRECISION:
            in_range = TEMPERATURES[0] * 1.01 < 1 / following < TEMPERATURES[1] / 1.01
            return following if in_range else None
        inverse = following
    return None


@torch.inference_mode()
def _likelihood(logits: Logits, frames: LabeledImages, indices: Sequence[int], inverse: float
                ) -> Likelihood:
    """Return the likelihood of the labeled pixels of some frames at 1 / temperature."""
    sums, pixels = torch.zeros(3, dtype=torch.float64), 0
    for index in tqdm(indices, 'fit', unit='frame', leave=False, disable=None):
        image, truth = frames[index]
        scores = logits(image).flatten(1)  # (classes, H W)
        labels = torch.from_numpy(truth).flatten().long()
        labeled = labels < len(scores)
        scores, labels = scores[:, labeled], labels[labeled]  # (classes, N), (N,)
        scores = scores - scores.amax(0)
        true = scores.gather(0, labels[None])[0]
        total = (inverse * scores).logsumexp(0)
        probability = (inverse * scores - total).exp()
        expected = (probability * scores).sum(0)
        variance = (probability * scores ** 2).sum(0) - expected ** 2
        sums += torch.stack([each.double().sum() for each in (
            total - inverse * true, expected - true, variance)])
        pixels += len(labels)
    if not pixels:
        raise BadInput('no pixel of the frames has a true class; choose frames with labels')
    return Likelihood(*(sums / pixels).tolist())
