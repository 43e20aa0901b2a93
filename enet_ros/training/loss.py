"""What training minimises."""

import numpy as np
import torch

from enet_ros.labels import UNLABELED


def class_weights(counts, offset):
    """Return 1 / ln(offset + p) of each class, p its share of all labelled pixels (section 4).

    counts (classes,) pixels -> float32 (classes,).
    """
    return torch.tensor(1 / np.log(offset + counts / counts.sum()), dtype=torch.float32)


def segmentation_loss(logits, labels, weights, iou_weight=1.0):
    """Return weighted cross-entropy plus `iou_weight` times one minus the soft mean IoU.

    logits (N, classes, H, W), labels (N, H, W) int64 with UNLABELED, weights (classes,). The
    first term makes rare classes found at all, the second takes back what that over-paints.
    """
    known = (labels != UNLABELED).unsqueeze(1)
    classes = torch.arange(logits.shape[1], device=labels.device).view(1, -1, 1, 1)
    truth = labels.unsqueeze(1) == classes                          # (N, classes, H, W)
    occurs = truth.sum((0, 2, 3)).float()                           # (classes,)
    log_probability = logits.log_softmax(1)
    probability = log_probability.exp()

    surprise = -torch.where(truth, log_probability, 0.0).sum((0, 2, 3))
    entropy = (weights * surprise).sum() / (weights * occurs).sum().clamp(min=1.0)
    if not iou_weight:
        return entropy
    hits = torch.where(truth, probability, 0.0).sum((0, 2, 3))
    union = torch.where(known, probability, 0.0).sum((0, 2, 3)) + occurs - hits
    present = (occurs > 0).float()
    iou = (present * hits / union.clamp(min=1.0)).sum() / present.sum().clamp(min=1.0)
    return entropy + iou_weight * (1 - iou)
