"""Sizes that annotations state, against the images themselves."""

import numpy as np
import polars as pl

from sightline.data.formats.repairs import Repairs
from sightline.data.image_sizes import image_sizes


def count_other_sizes(samples: pl.DataFrame, repairs: Repairs, *, progress: bool = True) -> None:
    """Count the images whose file has another size than ``height`` and ``width`` say.

    The stated size is kept: boxes in pixels were made for it, also where images were scaled since. An
    image that EXIF turns on its side may be stated either way.

    Raises:
        SightlineError: an image is missing or cannot be read.
    """
    paths = samples["file_path"].to_list()
    sizes = image_sizes(paths, progress=progress)
    stated = samples.select("height", "width").to_numpy()
    wrong = np.flatnonzero((sizes != stated).any(axis=1) & (sizes[:, ::-1] != stated).any(axis=1))
    if len(wrong):
        first = wrong[0]
        says = " x ".join(map(str, stated[first][::-1]))
        example = f"{paths[first]}, {sizes[first][1]} x {sizes[first][0]} pixels and not {says}"
        repairs.add(
            "images of another size than the annotations say (boxes fit what they say)", example, len(wrong)
        )
