import cv2
import numpy as np
import pytest

from enet_ros.images.postprocess import (
    Painter,
    class_mask,
    colorize,
    hide_uncertain,
    overlay,
    scale_labels,
)
from enet_ros.labels import CAMVID

RNG = np.random.default_rng(2)
PALETTE = CAMVID.palette()[:, ::-1]  # BGR
MASKS = {label.topic_name: class_id for class_id, label in enumerate(CAMVID.classes)}


def noise(width, height):
    return RNG.integers(0, 256, (height, width, 3), np.uint8)


def some_labels(width, height):
    return RNG.choice(np.array([*range(len(CAMVID)), 255], np.uint8), (height, width))


def nearest(labels, width, height):
    """Return, for each output pixel, the input pixel that contains its center."""
    rows = (2 * np.arange(height) + 1) * labels.shape[0] // (2 * height)
    columns = (2 * np.arange(width) + 1) * labels.shape[1] // (2 * width)
    return labels[rows[:, None], columns]


def expected(labels, image, order, alpha):
    """Return all output images, computed with plain NumPy."""
    height, width = image.shape[:2]
    labels = nearest(labels, width, height)
    color = PALETTE[labels]
    bgr = image if order == 'bgr' else image[:, :, ::-1]
    masks = {f'mask/{name}': 255 * (labels == class_id) for name, class_id in MASKS.items()}
    return {'label': labels, 'color': color, 'overlay': alpha * color + (1 - alpha) * bgr, **masks}


def assert_same(painted, right):
    for topic, picture in painted.items():
        assert picture.dtype == np.uint8 and picture.shape == right[topic].shape
        difference = np.abs(picture - right[topic].astype(float)).max()
        assert difference <= (1 if topic == 'overlay' else 0), topic


@pytest.mark.parametrize('size', [(128, 72), (64, 36), (97, 55), (31, 20), (1, 1)])
def test_labels_are_scaled_to_the_nearest_pixel(size):
    labels = some_labels(63, 35)  # odd, so that no new center lies on an old edge
    assert np.array_equal(scale_labels(labels, *size), nearest(labels, *size))


def test_labels_of_the_same_size_are_returned_unchanged():
    labels = some_labels(64, 36)
    assert scale_labels(labels, 64, 36) is labels


@pytest.mark.parametrize('palette', [PALETTE, CAMVID.palette(), noise(3, 256)[:, 0]],
                         ids=['bgr', 'rgb', 'a view'])
def test_colorize(palette):
    labels = RNG.integers(0, 256, (30, 41), np.uint8)
    assert np.array_equal(colorize(labels, palette), palette[labels])


def test_pixels_without_a_class_are_black():
    assert not colorize(np.full((4, 4), 255, np.uint8), PALETTE).any()


@pytest.mark.parametrize('class_id', [0, 3, 255])
def test_class_mask(class_id):
    labels = some_labels(41, 30)
    assert np.array_equal(class_mask(labels, [class_id]), np.where(labels == class_id, 255, 0))


@pytest.mark.parametrize('alpha', [0.0, 0.3, 0.5, 1.0])
def test_overlay(alpha):
    image, color = noise(41, 30), noise(41, 30)
    blend = alpha * color.astype(float) + (1 - alpha) * image
    assert np.abs(overlay(image, color, alpha) - blend).max() <= 1
    if alpha in (0.0, 1.0):
        assert np.array_equal(overlay(image, color, alpha), color if alpha else image)


@pytest.mark.parametrize('make, shape', [
    (lambda dst: scale_labels(some_labels(8, 6), 20, 10, dst), (10, 20)),
    (lambda dst: colorize(some_labels(20, 10), PALETTE, dst), (10, 20, 3)),
    (lambda dst: overlay(noise(20, 10), noise(20, 10), 0.5, dst), (10, 20, 3)),
    (lambda dst: class_mask(some_labels(20, 10), [2], dst), (10, 20))],
    ids=['scale_labels', 'colorize', 'overlay', 'class_mask'])
def test_dst_is_written_only_if_its_shape_fits(make, shape):
    fits = np.zeros(shape, np.uint8)
    assert np.shares_memory(make(fits), fits)
    other = np.full((7, *shape[1:]), 77, np.uint8)
    result = make(other)
    assert result.shape == shape and not np.shares_memory(result, other)
    assert (other == 77).all()


def draw_all(painter, labels, image, order, alpha, size=None):
    """Return all output images of one frame from a Painter."""
    scaled = painter.scaled(labels, *(size or image.shape[1::-1]))
    masks = {f'mask/{name}': painter.mask(scaled, [class_id]) for name, class_id in MASKS.items()}
    color = painter.color(scaled)
    return {'label': scaled, 'color': color,
            'overlay': painter.overlay(image, order, color, alpha), **masks}


@pytest.mark.parametrize('order', ['rgb', 'bgr'])
@pytest.mark.parametrize('labels_size', [(64, 36), (128, 72), (200, 90)],
                         ids=['smaller', 'same', 'larger'])
def test_all_outputs_of_consecutive_frames(order, labels_size):
    painter = Painter(PALETTE)
    for alpha in (0.5, 0.2):
        labels, image = some_labels(*labels_size), noise(128, 72)
        right, kept = expected(labels, image, order, alpha), image.copy()
        assert_same(draw_all(painter, labels, image, order, alpha), right)
        assert np.array_equal(image, kept), 'the image was written to'


def test_painter_reuses_its_own_memory_only():
    painter = Painter(PALETTE)
    labels = some_labels(64, 36)
    kept = labels.copy()

    def draw(width, height, order, labels=labels):
        return draw_all(painter, labels, noise(width, height), order, 0.5)

    first, second = draw(128, 72, 'bgr'), draw(128, 72, 'rgb')
    assert all(np.shares_memory(first[name], second[name]) for name in first)
    # A camera may change its size, even to that of the labels.
    for width, height in [(64, 36), (100, 50), (64, 36), (128, 72)]:
        assert {p.shape[:2] for p in draw(width, height, 'bgr').values()} == {(height, width)}
        assert np.array_equal(labels, kept)
    draw(64, 36, 'bgr')
    draw(64, 36, 'bgr', some_labels(32, 18))  # nor do those of another network size replace them
    assert np.array_equal(labels, kept)


@pytest.mark.parametrize('threshold', [0.001, 0.5, 100 / 255, 1.0])
def test_uncertain_pixels_have_no_class(threshold):
    labels, confidence = some_labels(41, 30), noise(41, 30)[:, :, 0].copy()
    kept = labels.copy()
    expected = np.where(confidence < np.ceil(255 * threshold), 255, labels)
    assert np.array_equal(hide_uncertain(labels, confidence, threshold), expected)
    assert np.array_equal(labels, kept)


@pytest.mark.parametrize('order', ['rgb', 'bgr'])
def test_labels_of_another_size_than_the_image(order):
    painter = Painter(PALETTE)
    labels, image = some_labels(24, 9), noise(128, 72)
    pictures = draw_all(painter, labels, image, order, 0.5, size=(48, 27))
    small = cv2.resize(image, (48, 27))
    assert_same(pictures, expected(labels, small, order, 0.5))
