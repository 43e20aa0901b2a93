"""Max-pooling that keeps where each maximum stood, and its inverse."""

import torch
from torch import nn


def pool_2x2(x):
    """Max-pool 2x2 windows with stride 2 and say where each maximum stood.

    x (N, C, 2H, 2W) -> pooled (N, C, H, W) and position (N, C, H, W) int8, which counts 0 to 3
    in reading order. Of tied values the first counts, as in torch.nn.functional.max_pool2d.
    """
    n, channels, height, width = x.shape
    # Channels last, so that compiled code runs along the channels and not over strided columns.
    windows = x.permute(0, 2, 3, 1).reshape(n, height // 2, 2, width // 2, 2, channels)
    top_left, top_right = windows[:, :, 0, :, 0], windows[:, :, 0, :, 1]
    low_left, low_right = windows[:, :, 1, :, 0], windows[:, :, 1, :, 1]
    top = torch.maximum(top_left, top_right)
    low = torch.maximum(low_left, low_right)
    position = torch.where(top >= low, (top_right > top_left).to(torch.int8),
                           (low_right > low_left).to(torch.int8) + 2)
    return torch.maximum(top, low).permute(0, 3, 1, 2), position.permute(0, 3, 1, 2)


def unpool_2x2(x, position):
    """Put each value back where `pool_2x2` found the maximum; zeros elsewhere.

    x, position (N, C, H, W) -> (N, C, 2H, 2W). Equal to torch.nn.functional.max_unpool2d, ties
    included, but built of operators that every runtime has: each output pixel compares its own
    place in the window with the position kept for that window.
    """
    n, channels, height, width = x.shape
    place = torch.arange(4, dtype=torch.int8, device=x.device).view(2, 1, 2, 1)
    x, position = (t.permute(0, 2, 3, 1)[:, :, None, :, None] for t in (x, position))
    windows = torch.where(position == place, x, 0.0)  # (N, H, 2, W, 2, C)
    return windows.reshape(n, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


class Pool2x2(nn.Module):
    """`pool_2x2` as a module, which a deployment can exchange."""

    def forward(self, x):
        return pool_2x2(x)


class Unpool2x2(nn.Module):
    """`unpool_2x2` as a module, which a deployment can exchange."""

    def forward(self, x, position):
        return unpool_2x2(x, position)
