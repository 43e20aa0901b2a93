"""The image on which engines are compared with the network."""

import numpy as np
from numpy.typing import NDArray

from enet_ros.images.preprocess import network_input
from enet_ros.synthetic.street import SyntheticStreet

SMALLEST, LARGEST = (32, 32), (1280, 720)  # (width, height) that are rendered


def street_image(width: int, height: int) -> NDArray[np.uint8]:
    """Return a synthetic street, RGB, uint8 (height, width, 3); larger ones are enlarged."""
    rendered = (min(max(side, smallest), largest)
                for side, smallest, largest in zip((width, height), SMALLEST, LARGEST))
    return network_input(SyntheticStreet(*rendered).render(0).image, width, height)
