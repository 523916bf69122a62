"""Small datasets with predictions beside the ground truth, made up as said."""

from pathlib import Path

import numpy as np
from PIL import Image

from sightline.data import Bbox, Classification, Dataset, DatasetInfo, Sample, Segmentation, TaskInfo
from sightline.data.predictions import ClassMap, ClassScores, Detections, with_predictions

HEIGHT, WIDTH = 20, 30


def images(folder: Path, count: int) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0)
    paths = []
    for number in range(count):
        path = folder / f"{number:02}.png"
        Image.fromarray(noise.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)).save(path)
        paths.append(str(path))
    return paths


def sample(path: str, **annotations: object) -> Sample:
    return Sample(file_path=path, height=HEIGHT, width=WIDTH, split="test", **annotations)  # type: ignore[arg-type]


def dataset(samples: list[Sample], *tasks: TaskInfo) -> Dataset:
    return Dataset.from_samples(samples, DatasetInfo(dataset_name="made-up", tasks=list(tasks)))


def classified(folder: Path, truth: list[str], scores: list[list[float]], names: list[str]) -> Dataset:
    """One class an image, and the scores that were predicted for it."""
    paths = images(folder, len(truth))
    samples = [
        sample(path, classifications=[Classification(class_name=name)])
        for path, name in zip(paths, truth, strict=True)
    ]
    made = dataset(samples, TaskInfo.from_class_names(Classification, names))
    return with_predictions(made, [ClassScores(np.array(one, dtype=np.float32)) for one in scores], names)


def box(left: float, top: float, width: float, height: float, name: str) -> Bbox:
    return Bbox.from_pixels(
        left=left,
        top=top,
        width=width,
        height=height,
        image_width=WIDTH,
        image_height=HEIGHT,
        class_name=name,
    )


def boxed(
    folder: Path, truth: list[list[Bbox]], predicted: list[list[tuple[Bbox, float]]], names: list[str]
) -> Dataset:
    """Boxes, and those that were predicted, each with its confidence."""
    paths = images(folder, len(truth))
    samples = [sample(path, bboxes=boxes) for path, boxes in zip(paths, truth, strict=True)]
    found = []
    for boxes in predicted:
        corners = [one.to_pixels(WIDTH, HEIGHT) for one, _ in boxes]
        found.append(
            Detections(
                np.array(corners, dtype=np.float32).reshape(-1, 4),
                np.array([score for _, score in boxes], dtype=np.float32),
                np.array([names.index(str(one.class_name)) for one, _ in boxes], dtype=np.int64),
            )
        )
    return with_predictions(dataset(samples, TaskInfo.from_class_names(Bbox, names)), found, names)


def segmented(
    folder: Path, truth: list[np.ndarray], predicted: list[np.ndarray], names: list[str]
) -> Dataset:
    """Maps of classes, 255 where there is none."""
    paths = images(folder, len(truth))
    samples = [
        sample(
            path,
            bitmasks=[
                Segmentation.from_mask(one == label, class_name=name)
                for label, name in enumerate(names)
                if (one == label).any()
            ],
        )
        for path, one in zip(paths, truth, strict=True)
    ]
    made = dataset(samples, TaskInfo.from_class_names(Segmentation, names))
    return with_predictions(made, [ClassMap(one.astype(np.uint8)) for one in predicted], names)
