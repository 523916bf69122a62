"""Small datasets on disk that a small network learns in seconds."""

from pathlib import Path

import numpy as np
from PIL import Image

from sightline.data import Dataset, DatasetInfo, Sample, TaskInfo
from sightline.data.primitives import Bbox, Classification, Segmentation

SPLITS = ("train", "train", "train", "validation", "test")


def _write(pixels: np.ndarray, folder: Path, number: int) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number:03}.png"
    Image.fromarray(pixels).save(path)
    return str(path)


def coloured(folder: Path, count: int = 30, side: int = 16) -> Path:
    """Images that are mostly red, green or blue, one class each."""
    noise = np.random.default_rng(0)
    names = ["red", "green", "blue"]
    samples = []
    for number in range(count):
        pixels = noise.integers(0, 80, (side, side, 3), dtype=np.uint8)
        pixels[..., number % 3] += 120
        label = Classification(class_name=names[number % 3])
        samples.append(
            Sample(
                file_path=_write(pixels, folder / "images", number),
                height=side,
                width=side,
                split=SPLITS[number // 3 % 5],
                classifications=[label],
            )
        )
    info = DatasetInfo(dataset_name="coloured", tasks=[TaskInfo.from_class_names(Classification, names)])
    Dataset.from_samples(samples, info).write(folder / "coloured", progress=False)
    return folder / "coloured"


def rectangles(folder: Path, count: int = 20, size: tuple[int, int] = (48, 64)) -> Path:
    """A bright rectangle on a dark ground, as a box and as pixels; every seventh image has none."""
    noise = np.random.default_rng(0)
    height, width = size
    samples = []
    for number in range(count):
        pixels = noise.integers(0, 60, (height, width, 3), dtype=np.uint8)
        inside = np.zeros((height, width), dtype=bool)
        boxes = []
        if number % 7 != 6:
            top, left = int(noise.integers(0, height - 20)), int(noise.integers(0, width - 24))
            inside[top : top + 20, left : left + 24] = True
            pixels[inside] += 150
            boxes = [
                Bbox.from_pixels(
                    left=left,
                    top=top,
                    width=24,
                    height=20,
                    image_width=width,
                    image_height=height,
                    class_name="lit",
                )
            ]
        masks = [Segmentation.from_mask(~inside, class_name="ground")]
        if inside.any():
            masks.append(Segmentation.from_mask(inside, class_name="lit"))
        samples.append(
            Sample(
                file_path=_write(pixels, folder / "images", number),
                height=height,
                width=width,
                split=SPLITS[number % 5],
                bboxes=boxes,
                bitmasks=list(masks),
            )
        )
    info = DatasetInfo(
        dataset_name="rectangles",
        tasks=[
            TaskInfo.from_class_names(Bbox, ["lit"]),
            TaskInfo.from_class_names(Segmentation, ["ground", "lit"]),
        ],
    )
    Dataset.from_samples(samples, info).write(folder / "rectangles", progress=False)
    return folder / "rectangles"
