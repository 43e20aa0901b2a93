"""The terms of the training loss."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enet_ros.labels import UNLABELED

SMALLEST = 2.0 ** -24  # the smallest probability above zero in float16


def class_weights(pixels: NDArray[np.int64], offset: float) -> Tensor:
    """Return 1 / ln(offset + p) for each class, p its share of all labeled pixels, (classes,).

    pixels (classes,) are the labeled pixels of each class. See section 4 of the ENet paper.
    """
    return torch.tensor(1 / np.log(offset + pixels / pixels.sum()), dtype=torch.float32)


def segmentation_loss(logits: Tensor, labels: Tensor, weights: Tensor,
                      iou_weight: float = 1.0) -> Tensor:
    """Return weighted cross-entropy plus `iou_weight` times one minus the soft mean IoU.

    logits (N, classes, H, W), labels int64 (N, H, W) with UNLABELED for void, weights (classes,).
    The weighted cross-entropy makes the network find rare classes; the IoU term keeps it from
    predicting them too often. Without labeled pixels the cross-entropy is 0.

    torch's cross_entropy gives the same value, but needs a second softmax for the IoU term: the
    compiled loss takes 1.4 times as long.
    """
    labeled = (labels != UNLABELED).unsqueeze(1)                    # (N, 1, H, W)
    classes = torch.arange(logits.shape[1], device=labels.device).view(1, -1, 1, 1)
    truth = labels.unsqueeze(1) == classes                          # (N, classes, H, W)
    pixels = truth.sum((0, 2, 3)).float()                           # (classes,)
    log_probability = logits.log_softmax(1)                         # (N, classes, H, W)
    probability = log_probability.exp()

    class_losses = -torch.where(truth, log_probability, 0.0).sum((0, 2, 3))  # (classes,)
    cross_entropy = (weights * class_losses).sum() / (weights * pixels).sum().clamp(min=1.0)
    if not iou_weight:
        return cross_entropy
    intersection = torch.where(truth, probability, 0.0).sum((0, 2, 3))
    predicted = torch.where(labeled, probability, 0.0).sum((0, 2, 3))
    union = predicted + pixels - intersection
    present = (pixels > 0).float()
    iou = (present * intersection / union.clamp(min=1.0)).sum() / present.sum().clamp(min=1.0)
    return cross_entropy + iou_weight * (1 - iou)


def distillation_loss(logits: Tensor, probabilities: Tensor, weights: Tensor,
                      temperature: float) -> Tensor:
    """Return the Kullback-Leibler divergence of the network's prediction from a teacher's.

    logits (N, classes, H, W) of the network; probabilities (N, classes, H, W) of the teacher;
    weights (classes,), those of the cross-entropy. The target is the teacher's distribution times
    the weights, because under weighted cross-entropy the network's own prediction tends to the
    distribution of the classes times the weights: without them the two terms would oppose each
    other, and rare classes disappear.

    Both distributions are softened by the temperature, and the divergence is multiplied by its
    square, which keeps the size of the gradients (Hinton et al., arXiv:1503.02531, section 2). It
    is the mean over the pixels, each weighted by the sum of its weighted probabilities: what the
    teacher takes for a class that the network lacks does not count. Without predictions the loss
    is 0.
    """
    weighted = weights.view(1, -1, 1, 1) * probabilities.float()
    pixel_weight = weighted.sum(1)                                         # (N, H, W)
    target = (weighted.clamp(min=SMALLEST).log() / temperature).log_softmax(1)
    prediction = (logits / temperature).log_softmax(1)
    divergence = (target.exp() * (target - prediction)).sum(1)             # (N, H, W)
    mean = (pixel_weight * divergence).sum() / pixel_weight.sum().clamp(min=1.0)
    return temperature ** 2 * mean
