"""How the learning rate changes over a stage of training."""

import math

STEPS_EPOCHS = 100  # section 5.1 of the paper lets the rate fall to a tenth this often


def rate_share(schedule, epoch, epochs):
    """Return the learning rate at `epoch` of a stage's `epochs`, as a share of its peak.

    one_cycle: up in a straight line over the first tenth, then down to nothing along half a
    cosine. steps: a tenth of the last every STEPS_EPOCHS.
    """
    epoch = max(0.0, epoch)  # a stage may begin within the last pass of the one before
    if schedule == 'steps':
        return 0.1 ** (epoch // STEPS_EPOCHS)
    progress, rise = min(1.0, epoch / epochs), 0.1
    if progress < rise:
        return 0.04 + 0.96 * progress / rise
    return 0.5 + 0.5 * math.cos(math.pi * (progress - rise) / (1 - rise))
