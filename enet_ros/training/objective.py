"""The network in training: from images and labels to the loss."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enet_ros.config import Recipe
from enet_ros.models.network import Encoded, Network
from enet_ros.training.loss import distillation_loss, segmentation_loss


class Loss(NamedTuple):
    """The loss of a batch, and the weighted part of it that comes from the teacher."""

    total: Tensor
    teacher: Tensor


class TrainingModel(nn.Module):
    """A network and, if it can be trained in two stages, a head on its encoder.

    The head is a 1x1 convolution of the encoder's features (section 5.1 of the ENet paper). In
    the first stage it replaces the decoder. In the second stage its loss may be added, so that
    the encoder does not learn through the narrow decoder alone.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.head: nn.Conv2d | None = None
        if network.encoder_features is not None:
            self.head = nn.Conv2d(network.encoder_features, network.classes, 1)

    def forward(self, image: Tensor, decode: bool) -> tuple[Tensor | None, Tensor | None]:
        """Return the logits of the head and of the network.

        Those of the head are (N, classes, H / stride, W / stride), or None if there is no head;
        those of the network are (N, classes, H, W), or None unless `decode`.
        """
        height, width = image.shape[2:]
        encoded = self.network.encode(image)
        fine = self.network.decode(encoded)[:, :, :height, :width] if decode else None
        coarse = None if self.head is None else self.head(encoded.features)
        return coarse, fine


class EncoderNetwork(Network):
    """The network of the first stage: the head's logits, interpolated to the image's size."""

    def __init__(self, network: Network, head: nn.Conv2d) -> None:
        super().__init__()
        self.network, self.output = network, head
        self.stride = network.stride

    def encode(self, image: Tensor) -> Encoded:
        return self.network.encode(image)

    def decode(self, encoded: Encoded) -> Tensor:
        return F.interpolate(self.output(encoded.features), scale_factor=self.stride,
                             mode='bilinear')


def disable_dropout(network: nn.Module) -> None:
    """Set the probability of all dropout layers to 0."""
    for module in network.modules():
        if isinstance(module, nn.Dropout2d):
            module.p = 0.0


class Objective(nn.Module):
    """The loss of a TrainingModel.

    mean and std are of RGB in [0, 1]; class_weights are float (classes,). The recipe gives the
    weights of the terms of the loss. taught_classes are the ids of the classes that the teacher
    knows; the others have no part in the comparison with it.
    """

    mean: Tensor
    std: Tensor
    class_weights: Tensor

    def __init__(self, model: TrainingModel, mean: Sequence[float], std: Sequence[float],
                 class_weights: Tensor, recipe: Recipe,
                 taught_classes: Sequence[int] = ()) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe
        self.taught_classes = list(taught_classes)
        for name, values in (('mean', mean), ('std', std)):
            self.register_buffer(name, 255 * torch.tensor(values).view(1, 3, 1, 1),
                                 persistent=False)
        self.register_buffer('class_weights', class_weights, persistent=False)

    def forward(self, images: Tensor, labels: Tensor, whole_network: bool,
                probabilities: Tensor | None = None) -> Loss:
        """Return the loss of RGB images uint8 (N, H, W, 3) with labels int64 (N, H, W).

        whole_network selects the second stage; in the first only the encoder is trained.
        probabilities are the teacher's, (N, classes, H, W).
        """
        x = (images.permute(0, 3, 1, 2) - self.mean) / self.std  # (N, 3, H, W), channels last
        coarse, fine = self.model(x, decode=whole_network)
        if fine is None:
            assert coarse is not None  # recipes have a first stage only for networks with a head
            return self._encoder_loss(coarse, labels, probabilities)
        # Contiguous, because the loss runs faster along pixels than along so few classes.
        loss = self._loss(fine.float().contiguous(), labels, probabilities)
        weight = self.recipe.encoder_weight
        if coarse is not None and weight:
            added = self._encoder_loss(coarse, labels, probabilities)
            loss = Loss(loss.total + weight * added.total, loss.teacher + weight * added.teacher)
        return loss

    def _encoder_loss(self, coarse: Tensor, labels: Tensor, probabilities: Tensor | None) -> Loss:
        """Return the loss of the head's logits against the center pixel of each cell."""
        stride = self.model.network.stride
        centers = labels[:, stride // 2::stride, stride // 2::stride]
        if probabilities is not None:
            probabilities = probabilities[:, :, stride // 2::stride, stride // 2::stride]
        height, width = centers.shape[1:]
        return self._loss(coarse.float()[:, :, :height, :width], centers, probabilities)

    def _loss(self, logits: Tensor, labels: Tensor, probabilities: Tensor | None) -> Loss:
        recipe = self.recipe
        loss = segmentation_loss(logits, labels, self.class_weights, recipe.iou_weight)
        if probabilities is None:
            return Loss(loss, torch.zeros_like(loss))
        weights = self.class_weights
        if len(self.taught_classes) < logits.shape[1]:
            logits = logits[:, self.taught_classes]
            probabilities = probabilities[:, self.taught_classes]
            weights = weights[self.taught_classes]
        teacher = recipe.teacher_weight * distillation_loss(logits, probabilities, weights,
                                                            recipe.teacher_temperature)
        return Loss(loss + teacher, teacher.detach())
