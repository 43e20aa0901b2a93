"""Learning rate schedules of a training stage."""

import math

STEP_EPOCHS = 100  # the paper divides the rate by ten this often (section 5.1)
WARM_UP = 0.1      # share of a one_cycle stage in which the rate rises
START_FACTOR = 0.04


def learning_rate_factor(schedule: str, epoch: float, epochs: int) -> float:
    """Return the learning rate at `epoch` of a stage of `epochs`, relative to its maximum.

    one_cycle: a linear rise over the first tenth, then a half cosine down to 0. steps: division
    by ten every STEP_EPOCHS.
    """
    epoch = max(0.0, epoch)  # a stage may begin within the last epoch of the one before
    if schedule == 'steps':
        return 0.1 ** (epoch // STEP_EPOCHS)
    progress = min(1.0, epoch / epochs)
    if progress < WARM_UP:
        return START_FACTOR + (1 - START_FACTOR) * progress / WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP))
