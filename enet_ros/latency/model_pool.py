"""One model made ready at each size that the network may run at."""

import time
from dataclasses import asdict

from enet_ros.config import parse_size
from enet_ros.errors import BadInput
from enet_ros.latency.size_policy import SizePolicy
from enet_ros.models import checkpoint
from enet_ros.segmenter import Segmenter

RUNS = 3  # of each size, to learn its cost
MULTIPLE = 8  # of sides that are made up here: the network's own stride


class ModelPool:
    """The segmenters of a SegmentationConfig, and the choice among them.

    Without latency.adaptive there is one. All are built and have run, so that no frame waits for
    that. The clock gives the seconds that ages count in.
    """

    def __init__(self, config, clock):
        start = time.monotonic()
        self.config = config.model
        model, spec = checkpoint.load(self.path)
        self.labels = spec.labels
        sizes = sizes_of(config, spec)
        output = config.output
        settings = {**asdict(config.model), 'filter': output.filter,
                    'output_size': output.fixed_size}
        self.segmenters = {(width, height): Segmenter(model, spec, width, height, **settings)
                           for width, height in sizes}
        costs = [_cost(segmenter) for segmenter in self.segmenters.values()]
        self.policy = SizePolicy(sizes, costs, clock, len(config.cameras) or 1)
        self.made_ready_ms = 1e3 * (time.monotonic() - start)

    @property
    def path(self):
        """Return the name or file of the model."""
        return self.config.path

    @property
    def segmenter(self):
        """Return the segmenter in use."""
        return self.segmenters[self.policy.size]

    @property
    def engine(self):
        """Return the engine in use; those of all sizes are of one kind."""
        return self.segmenter.engine

    @property
    def sizes(self):
        """Return all sizes, largest first."""
        return self.policy.sizes

    def facts(self):
        """Return {name: text} of what was asked for and what was got."""
        asked, engine = self.config, self.engine
        return {
            'model': f'{self.path}, {len(self.labels)} classes of {self.labels.name}',
            'engine asked': f'{asked.engine} {asked.device} {asked.precision}',
            'engine': engine.name,
            'engine reason': engine.reason,
            'network sizes': ' '.join(f'{width}x{height}' for width, height in self.sizes),
            'made ready in': f'{self.made_ready_ms:.0f} ms',
        }


def sizes_of(config, spec):
    """Return the (width, height) that the network may run at, largest first."""
    own = config.input.width or spec.width, config.input.height or spec.height
    latency = config.latency
    if not latency.adaptive:
        return [own]
    if not latency.sizes:
        return [own, *(tuple(round(share * side / MULTIPLE) * MULTIPLE for side in own)
                       for share in (0.75, 0.5))]
    if config.input.width or config.input.height:
        raise BadInput('input.width and input.height are given, and latency.sizes too; leave the '
                       'first at 0, or the second empty')
    return sorted(map(parse_size, latency.sizes), key=lambda size: size[0] * size[1],
                  reverse=True)


def _cost(segmenter):
    """Return the milliseconds of the network on the machine as it is, with all built before."""
    for confidence in (True, False):
        segmenter.warm_up(confidence)
    return min(segmenter.warm_up() for _ in range(RUNS))
