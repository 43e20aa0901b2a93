import pytest

from enet_ros.config import LatencyConfig, OutputConfig, SegmentationConfig, parse_size
from enet_ros.errors import BadInput


def test_size_is_parsed():
    assert parse_size('640x360') == (640, 360)


@pytest.mark.parametrize('text', ['', '640', '640x', 'x360', '640 x 360', '-640x360', '0x360',
                                  '640x360x3', '6.4e2x360', '640x31', '99999x360', '640X360'])
def test_invalid_sizes_are_rejected(text):
    with pytest.raises(BadInput, match='write for example 640x360'):
        parse_size(text)


@pytest.mark.parametrize('make, words', [
    (lambda: OutputConfig(size='large'), "size: size 'large'.*input or network"),
    (lambda: OutputConfig(filter='linear'), 'with size input it must be nearest'),
    (lambda: OutputConfig(confidence_threshold=1.5), 'at most 1.0'),
    (lambda: LatencyConfig(budget_ms=-1.0), 'budget_ms'),
    (lambda: LatencyConfig(adaptive=True), 'adaptive needs a latency budget'),
    (lambda: LatencyConfig(reserve_ms=5.0), 'reserve_ms is 5.0; it must be less than budget_ms'),
    (lambda: LatencyConfig(budget_ms=20.0, reserve_ms=20.0), 'which is 20'),
    (lambda: LatencyConfig(sizes=('640x360', 'small')), "sizes: size 'small'"),
    (lambda: LatencyConfig(sizes=('640x360', '640x360')), 'once'),
    (lambda: SegmentationConfig(cameras=('Front',)), "cameras is 'Front'"),
    (lambda: SegmentationConfig(cameras=('front/left',)), 'cameras'),
    (lambda: SegmentationConfig(cameras=('front', 'front')), 'once')])
def test_invalid_settings_are_rejected(make, words):
    with pytest.raises(BadInput, match=words):
        make()


def test_a_fixed_output_size():
    assert OutputConfig(size='640x360', filter='linear').fixed_size == (640, 360)
    assert OutputConfig(size='network', filter='linear').fixed_size is None
    assert OutputConfig().fixed_size is None
