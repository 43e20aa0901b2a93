"""The network in training: from images and labels to the loss."""

import torch
from torch import nn
from torch.nn import functional as F

from enet_ros.models.enet import ENet
from enet_ros.training.loss import segmentation_loss

ENCODER_FEATURES = 128


class TwoHeads(nn.Module):
    """ENet with a second answer, by a 1x1 convolution of the encoder's features (section 5.1).

    That head is all there is above the encoder in the first stage. Later it may go on beside the
    decoder, so that the encoder does not learn through the narrow decoder alone.
    """

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.head = nn.Conv2d(ENCODER_FEATURES, network.output.out_channels, 1)

    def forward(self, image, whole):
        """Return logits (N, classes, H/8, W/8), and if `whole` (N, classes, H, W), else None."""
        height, width = image.shape[2:]
        features, positions = self.network.encode(image)
        fine = self.network.decode(features, positions) if whole else None
        return self.head(features), fine[:, :, :height, :width] if whole else None


class EncoderAnswer(nn.Module):
    """The first stage's network with its logits stretched to the image's size."""

    def __init__(self, two_heads):
        super().__init__()
        self.two_heads = two_heads

    def forward(self, image):
        height, width = image.shape[2:]
        logits = F.interpolate(self.two_heads(image, whole=False)[0], scale_factor=ENet.STRIDE,
                               mode='bilinear')
        return logits[:, :, :height, :width]


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
    return TwoHeads(network) if isinstance(network, ENet) else OneHead(network)


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
            middle = labels[:, ENet.STRIDE // 2::ENet.STRIDE, ENet.STRIDE // 2::ENet.STRIDE]
            coarse = self._loss(coarse.float()[:, :, :middle.shape[1], :middle.shape[2]], middle)
            loss = loss + self.encoder_weight * coarse if whole else coarse
        return loss

    def _loss(self, logits, labels):
        return segmentation_loss(logits, labels, self.class_weights, self.iou_weight)
