"""What training minimises."""

import numpy as np
import torch
from torch.nn import functional as F

from enet_ros.labels import UNLABELLED


def class_weights(label_images, classes, offset):
    """Return 1 / ln(offset + p) of each class, p its share of all labelled pixels (section 4)."""
    counts = np.zeros(classes, np.int64)
    for labels in label_images:
        counts += np.bincount(labels[labels != UNLABELLED], minlength=classes)
    return torch.tensor(1 / np.log(offset + counts / counts.sum()), dtype=torch.float32)


def segmentation_loss(logits, labels, weights):
    """Return weighted cross-entropy plus one minus the soft mean IoU.

    logits (N, classes, H, W), labels (N, H, W) int64 with UNLABELLED, weights (classes,). The
    first term makes rare classes found at all, the second takes back what that over-paints.
    """
    entropy = F.cross_entropy(logits, labels, weights, ignore_index=UNLABELLED)
    known = (labels != UNLABELLED).unsqueeze(1)
    truth = torch.arange(logits.shape[1], device=labels.device).view(1, -1, 1, 1)
    truth = (labels.unsqueeze(1) == truth).float()      # (N, classes, H, W)
    probability = logits.softmax(1) * known
    hits = (probability * truth).sum((0, 2, 3))         # (classes,)
    occurs = truth.sum((0, 2, 3))
    union = probability.sum((0, 2, 3)) + occurs - hits
    present = (occurs > 0).float()
    iou = (present * hits / union.clamp(min=1.0)).sum() / present.sum().clamp(min=1.0)
    return entropy + 1 - iou
