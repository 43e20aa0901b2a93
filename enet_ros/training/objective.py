"""The network in training: from images and labels to the loss."""

import torch
from torch import nn
from torch.nn import functional as F

from enet_ros.models.network import Network
from enet_ros.training.loss import segmentation_loss


class TwoHeads(nn.Module):
    """A network with a second head: a 1x1 convolution of the encoder's features.

    See section 5.1 of the ENet paper. In the first stage the head replaces the decoder. In the
    second stage its loss may be added, so that the encoder does not learn through the narrow
    decoder alone.
    """

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.head = nn.Conv2d(network.encoder_features, network.classes, 1)

    def forward(self, image, whole):
        """Return logits at 1 / stride of the size, and if `whole` at full size, else None."""
        height, width = image.shape[2:]
        encoded = self.network.encode(image)
        fine = self.network.decode(encoded) if whole else None
        return self.head(encoded.features), fine[:, :, :height, :width] if whole else None


class EncoderPrediction(Network):
    """The network of the first stage: the encoder's logits, interpolated to the image's size."""

    def __init__(self, two_heads):
        super().__init__()
        self.network, self.output = two_heads.network, two_heads.head
        self.stride = self.network.stride

    def encode(self, image):
        return self.network.encode(image)

    def decode(self, encoded):
        return F.interpolate(self.output(encoded.features), scale_factor=self.stride,
                             mode='bilinear')


class OneHead(nn.Module):
    """A network that answers at the image's size alone, called as TwoHeads is."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image, whole):
        assert whole
        return None, self.network(image)


def with_heads(network, dropout=True):
    """Return the network in the form that Objective trains."""
    if not dropout:
        for module in network.modules():
            if isinstance(module, nn.Dropout2d):
                module.p = 0.0
    return OneHead(network) if network.encoder_features is None else TwoHeads(network)


class Objective(nn.Module):
    """The loss of a network with its heads, weighed as a Recipe says.

    mean and std are of RGB in [0, 1]; class_weights is float (classes,).
    """

    def __init__(self, heads, mean, std, class_weights, recipe):
        super().__init__()
        self.heads = heads
        self.iou_weight, self.encoder_weight = recipe.iou_weight, recipe.encoder_weight
        for name, numbers in (('mean', mean), ('std', std)):
            self.register_buffer(name, 255 * torch.tensor(numbers).view(1, 3, 1, 1),
                                 persistent=False)
        self.register_buffer('class_weights', class_weights, persistent=False)

    def forward(self, images, labels, whole):
        """Return the loss of images uint8 (N, H, W, 3) RGB with labels int64 (N, H, W).

        `whole` tells the second stage from the first.
        """
        x = (images.permute(0, 3, 1, 2) - self.mean) / self.std  # (N, 3, H, W), channels last
        coarse, fine = self.heads(x, whole)
        loss = 0.0
        if fine is not None:
            # Contiguous, as the loss runs faster along pixels than along so few classes.
            loss = self._loss(fine.float().contiguous(), labels)
        if coarse is not None and (self.encoder_weight or not whole):
            stride = self.heads.network.stride
            middle = labels[:, stride // 2::stride, stride // 2::stride]
            coarse = self._loss(coarse.float()[:, :, :middle.shape[1], :middle.shape[2]], middle)
            loss = loss + self.encoder_weight * coarse if whole else coarse
        return loss

    def _loss(self, logits, labels):
        return segmentation_loss(logits, labels, self.class_weights, self.iou_weight)
