"""The types of a benchmark's results, which are written as benchmark.json."""

from typing import TypedDict

Size = tuple[int, int]  # width, height in pixels


class Machine(TypedDict):
    """The machine and the versions that figures belong to."""

    processor: str
    cores: int  # that this process may use
    amx_bf16: bool
    memory_gib: int
    gpu: str | None
    load: float  # average number of busy cores in the last minute
    system: str
    versions: dict[str, str]


class Row(TypedDict):
    """The figures of one network on one candidate at one size.

    Times are milliseconds per frame. Speedups are ratios of times: 2 is twice as fast. What was
    not measured is None.
    """

    architecture: str
    name: str
    is_engine: bool  # whether the candidate is an engine of this package
    median_ms: float
    p95_ms: float
    frames_per_second: float
    rounds: int
    frames: int
    speedup_over_plain: float | None
    speedup_over: dict[str, float]  # ENet only: over other architectures on the same candidate
    speedup_over_direct_openvino: float | None
    agreement: float | None  # share of pixels with the labels of the plain network
    milliseconds: list[float]


class NetworkCost(TypedDict):
    """The fields of models.cost.Cost."""

    parameters: int
    gflops: float
    fp16_mib: float


class SizeResult(TypedDict):
    """Everything measured at one size."""

    width: int
    height: int
    rows: list[Row]
    cost: dict[str, NetworkCost]  # by architecture
    seconds: float  # that the measurement took


class PipelineRow(TypedDict):
    """The times of one pipeline, milliseconds per frame."""

    name: str
    median_ms: float
    p95_ms: float


class PipelineResult(TypedDict):
    """The pipeline from a camera image to labels, overlay and masks at the camera's size."""

    camera_size: Size
    network_size: Size
    engine: str
    rows: list[PipelineRow]
    overhead_ms: float  # what the pipeline takes in addition to the network
    speedup_over_plain: float


class StartupRow(TypedDict):
    """Start-up time and memory of one network on one candidate, in a process of its own.

    A start is cold with an empty cache folder, and warm after another start filled it. If a
    process fails, `error` is its last line, and the figures are None.
    """

    architecture: str
    name: str
    size: Size
    cold_start_s: float | None
    warm_start_s: float | None
    resident_mib: float | None
    peak_mib: float | None
    error: str | None


class Skipped(TypedDict):
    """Something that was not measured, and why."""

    name: str
    reason: str


class Results(TypedDict):
    """The results of a comparison."""

    command: str  # that started the comparison, or empty
    model: str
    machine: Machine
    threads: int  # 0: one per core
    default_engine: str
    sizes: list[SizeResult]
    pipeline: PipelineResult | None
    startup: list[StartupRow]
    skipped: list[Skipped]
    seconds: float | None  # that the whole comparison took; None if it is not complete


class OnnxRow(TypedDict):
    """The figures of an ONNX network on one candidate at one size; times in milliseconds."""

    name: str
    is_engine: bool  # whether the candidate is an engine of this package
    median_ms: float
    p95_ms: float
    rounds: int
    frames: int
    time_relative_to_by_hand: float  # below 1 is faster than the reference
    agreement: float | None  # share of pixels with the labels of the reference
    milliseconds: list[float]


class OnnxSizeResult(TypedDict):
    """Everything measured at one size. reference: the candidate that is run by hand."""

    width: int
    height: int
    reference: str
    rows: list[OnnxRow]


class OnnxResults(TypedDict):
    """The results of the comparison of an ONNX network with itself, run by hand."""

    command: str  # that started the comparison, or empty
    model: str
    label_set: str
    classes: int
    machine: Machine
    threads: int  # 0: one per core
    sizes: list[OnnxSizeResult]
    skipped: list[Skipped]


def engine_of(results: Results, architecture: str) -> str:
    """Return the name of the default engine, or of the fastest one if it lacks an architecture."""
    rows = [row for size in results['sizes'][:1] for row in size['rows']
            if row['architecture'] == architecture and row['is_engine']]
    default = results['default_engine']
    if not rows or any(row['name'] == default for row in rows):
        return default
    return min(rows, key=lambda row: row['median_ms'])['name']
