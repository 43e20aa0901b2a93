"""2x2 max pooling that returns the positions of the maxima, and the matching unpooling."""

import torch
from torch import Tensor, nn


def pool_2x2(x: Tensor) -> tuple[Tensor, Tensor]:
    """Max-pool 2x2 windows with stride 2 and return the positions of the maxima.

    x (N, C, 2H, 2W) -> pooled (N, C, H, W) and positions (N, C, H, W) int8: 0 to 3, counted row by
    row within the window. Of equal values the first wins, as in torch.nn.functional.max_pool2d.
    """
    n, channels, height, width = x.shape
    # Channels last, so that compiled code iterates over contiguous channels, not strided columns.
    windows = x.permute(0, 2, 3, 1).reshape(n, height // 2, 2, width // 2, 2, channels)
    top_left, top_right = windows[:, :, 0, :, 0], windows[:, :, 0, :, 1]
    bottom_left, bottom_right = windows[:, :, 1, :, 0], windows[:, :, 1, :, 1]
    top = torch.maximum(top_left, top_right)
    bottom = torch.maximum(bottom_left, bottom_right)
    positions = torch.where(top >= bottom, (top_right > top_left).to(torch.int8),
                            (bottom_right > bottom_left).to(torch.int8) + 2)
    return torch.maximum(top, bottom).permute(0, 3, 1, 2), positions.permute(0, 3, 1, 2)


def unpool_2x2(x: Tensor, positions: Tensor) -> Tensor:
    """Put each value at the position that `pool_2x2` returned, and zeros elsewhere.

    x, positions (N, C, H, W) -> (N, C, 2H, 2W). Equal to torch.nn.functional.max_unpool2d, but
    built from operators that every runtime has: each output pixel compares its own position in
    the window with the window's position.
    """
    n, channels, height, width = x.shape
    own = torch.arange(4, dtype=torch.int8, device=x.device).view(2, 1, 2, 1)
    x, positions = (t.permute(0, 2, 3, 1)[:, :, None, :, None] for t in (x, positions))
    windows = torch.where(positions == own, x, 0.0)  # (N, H, 2, W, 2, C)
    return windows.reshape(n, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


class Pool2x2(nn.Module):
    """`pool_2x2` as a module, which an inference graph can replace."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return pool_2x2(x)


class Unpool2x2(nn.Module):
    """`unpool_2x2` as a module, which an inference graph can replace."""

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        return unpool_2x2(x, positions)
