"""One model, built and warmed up at each size at which the network may run."""

import time
from collections.abc import Callable
from dataclasses import asdict

from enet_ros.config import ModelConfig, SegmentationConfig, parse_size
from enet_ros.engines.engine import Engine
from enet_ros.errors import BadInput
from enet_ros.labels import LabelSet
from enet_ros.latency.size_policy import Size, SizePolicy
from enet_ros.models.loading import AnySpec, has_confidence, load_model
from enet_ros.segmenter import Segmenter

COST_RUNS = 3  # of each size; the fastest is its cost
DEFAULT_SCALES = 0.75, 0.5  # of the default sizes below the network's own


class ModelPool:
    """The segmenters of a SegmentationConfig, and the choice among them.

    Without latency.adaptive there is one. All are built and have run when the constructor
    returns, so that no frame waits for it. clock returns the seconds in which ages count.
    """

    def __init__(self, config: SegmentationConfig, clock: Callable[[], float]) -> None:
        start = time.monotonic()
        self.config: ModelConfig = config.model
        model, spec = load_model(self.path)
        self.labels: LabelSet = spec.labels
        self._confidence = (f'temperature {spec.temperature:.4g}' if has_confidence(spec) else
                            '255 everywhere, because the network predicts labels')
        sizes = network_sizes(config, spec)
        settings = {**asdict(config.model), 'filter': config.output.filter,
                    'output_size': config.output.fixed_size}
        self.segmenters: dict[Size, Segmenter] = {}
        for width, height in sizes:
            segmenter = Segmenter(model, spec, width, height, **settings)
            self.segmenters[width, height] = segmenter
            # Only the largest size is measured; the others have its engine and precision.
            settings |= asdict(segmenter.config)
            for confidence in (True, False):  # each has a graph of its own
                segmenter.warm_up(confidence)
        costs = [_cost(segmenter) for segmenter in self.segmenters.values()
                 ] if len(sizes) > 1 else [1.0]  # only ratios count
        self.policy = SizePolicy(sizes, costs, clock, len(config.cameras) or 1)
        self.load_ms = 1e3 * (time.monotonic() - start)

    @property
    def path(self) -> str:
        """Return the name or file of the model."""
        return self.config.path

    @property
    def segmenter(self) -> Segmenter:
        """Return the segmenter in use."""
        return self.segmenters[self.policy.size]

    @property
    def engine(self) -> Engine:
        """Return the engine in use; all sizes have the same kind."""
        return self.segmenter.engine

    def summary(self) -> dict[str, str]:
        """Return what was requested and what runs, for log and diagnostics."""
        requested, engine = self.config, self.engine
        return {
            'model': f'{self.path}, {len(self.labels)} classes of {self.labels.name}',
            'requested engine': f'{requested.engine} {requested.device} {requested.precision}',
            'engine': engine.name,
            'engine reason': next(iter(self.segmenters.values())).engine_reason,
            'network sizes': ' '.join(f'{width}x{height}' for width, height in self.segmenters),
            'confidence': self._confidence,
            'load time': f'{self.load_ms:.0f} ms',
        }


def network_sizes(config: SegmentationConfig, spec: AnySpec) -> list[Size]:
    """Return the (width, height) at which the network may run, largest first.

    The sides of scaled sizes are multiples of the network's stride.
    """
    width, height = config.input.width or spec.width, config.input.height or spec.height
    latency = config.latency
    if not latency.adaptive:
        return [(width, height)]
    if not spec.stride:
        raise BadInput('latency.adaptive needs a network that runs at several sizes, and this one '
                       f'takes {spec.width}x{spec.height} only; switch latency.adaptive off, or '
                       'export the network with free sizes and give its stride in the YAML file')
    if not latency.sizes:
        scaled = ((_scaled(width, scale, spec.stride), _scaled(height, scale, spec.stride))
                  for scale in DEFAULT_SCALES)
        return list(dict.fromkeys([(width, height), *scaled]))
    if config.input.width or config.input.height:
        raise BadInput('both input.width or input.height and latency.sizes are set; leave the '
                       'first two at 0, or latency.sizes empty')
    return sorted(map(parse_size, latency.sizes), key=lambda size: size[0] * size[1],
                  reverse=True)


def _scaled(side: int, scale: float, stride: int) -> int:
    return max(round(scale * side / stride), 1) * stride


def _cost(segmenter: Segmenter) -> float:
    """Return the milliseconds of the network."""
    return min(segmenter.warm_up() for _ in range(COST_RUNS))
