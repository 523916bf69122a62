"""The 1,797 handwritten digits of scikit-learn as an image folder.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), the test part.
"""

from pathlib import Path

import numpy as np
from PIL import Image

_SPLITS = {"train": 0.7, "validation": 0.1, "test": 0.2}


def write_digits(folder: Path, seed: int = 0) -> int:
    """Write ``<split>/<digit>/<index>.png`` (8x8, grey) below ``folder`` and return the number of images.

    Each digit is split 70/10/20 into train, validation and test; the same seed gives the same split.
    """
    from sklearn.datasets import load_digits

    pixels_nd, digit_n = load_digits(return_X_y=True)
    images_nhw = np.clip(pixels_nd.reshape(-1, 8, 8) * 16, 0, 255).astype(np.uint8)  # 0..16 become 0..255
    random = np.random.default_rng(seed)
    for digit in range(10):
        indices = random.permutation(np.flatnonzero(digit_n == digit))
        bounds = np.cumsum([round(share * len(indices)) for share in _SPLITS.values()])[:-1]
        for split, part in zip(_SPLITS, np.split(indices, bounds), strict=True):
            target = folder / split / str(digit)
            target.mkdir(parents=True)
            for index in part:
                Image.fromarray(images_nhw[index]).save(target / f"{index:04d}.png")
    return len(images_nhw)
