import numpy as np
import pytest

from enet_ros.images.preprocess import network_input

RNG = np.random.default_rng(7)


@pytest.mark.parametrize('order', ['rgb', 'bgr'])
def test_image_of_the_network_size_is_not_resized(order):
    image = RNG.integers(0, 256, (48, 64, 3), np.uint8)
    kept = image.copy()
    result = network_input(image, 64, 48, order)
    assert np.array_equal(result, image if order == 'rgb' else image[:, :, ::-1])
    assert np.array_equal(image, kept) and result.flags.c_contiguous


@pytest.mark.parametrize('times', [2, 4])
def test_shrinking_by_a_power_of_two_averages_blocks(times):
    image = RNG.integers(0, 256, (times * 9, times * 16, 3), np.uint8)
    means = image.reshape(9, times, 16, times, 3).mean((1, 3))
    assert np.abs(network_input(image, 16, 9) - means).max() <= times / 2


# Camera and network sizes: 3x, two ratios, just below and above 2x and 1.5x, odd, upright.
@pytest.mark.parametrize('camera, network', [
    ((192, 108), (64, 36)), ((128, 72), (48, 36)), ((125, 71), (64, 36)), ((131, 73), (64, 36)),
    ((96, 54), (64, 36)), ((100, 56), (64, 36)), ((77, 143), (64, 36)), ((300, 40), (64, 36))])
@pytest.mark.parametrize('upright', [False, True])
def test_thin_lines_remain_visible(camera, network, upright):
    (width, height), side = camera, 1 if upright else 0
    for place in range(4, camera[1 - side] - 4):
        image = np.zeros((height, width, 3), np.uint8)
        np.moveaxis(image, side, 0)[place] = 240
        result = network_input(image, *network)
        assert result.shape == (network[1], network[0], 3)
        shrinks = camera[1 - side] / network[1 - side]
        profile = np.moveaxis(result, side, 0)[:, 5, 0].astype(float)
        # The brightness of the line relative to a mean in which all pixels count equally.
        assert 0.5 < profile.sum() * shrinks / 240 < 1.6, f'a line at {place}'


@pytest.mark.parametrize('camera', [(40, 20), (64, 35), (1, 1), (63, 90), (200, 37)])
def test_plain_color_is_unchanged(camera):
    image = np.full((camera[1], camera[0], 3), (10, 100, 250), np.uint8)
    result = network_input(image, 64, 36, 'bgr')
    assert result.shape == (36, 64, 3)
    assert (result == (250, 100, 10)).all()


def test_rows_with_padding():
    padded = RNG.integers(0, 256, (72, 140, 3), np.uint8)
    view = padded[:, :128]
    assert np.array_equal(network_input(view, 64, 36), network_input(view.copy(), 64, 36))
    assert network_input(padded[:, :64], 64, 72).flags.c_contiguous
