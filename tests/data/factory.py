"""Datasets and pictures for the tests of this room, and hypothesis strategies for whole samples."""

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from sightline.data import (
    Attribution,
    Bbox,
    Bitmask,
    CameraInfo,
    Classification,
    Dataset,
    DatasetInfo,
    License,
    Orientation,
    Point,
    Polygon,
    Position,
    Sample,
    Segmentation,
    TaskInfo,
    VideoInfo,
)

HEIGHT, WIDTH = 12, 16
CLASSES = ["cat", "Ärger", '猫 "quoted"', "a,b\n{}"]

INFO = DatasetInfo(
    dataset_name="made-up",
    version="1.2.3",
    tasks=[
        TaskInfo.from_class_names(Classification, CLASSES),
        TaskInfo.from_class_names(Bbox, CLASSES),
        TaskInfo.from_class_names(Bitmask, CLASSES),
        TaskInfo.from_class_names(Polygon, CLASSES),
        TaskInfo.from_class_names(Segmentation, CLASSES),
    ],
)


def write_picture(path: Path, seed: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
    """A small picture whose content depends on ``seed``."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def classification_dataset(folder: Path, counts: dict[tuple[str, str], int]) -> Dataset:
    """A dataset with pictures, ``counts`` samples per (split, class)."""
    samples = []
    for (split, class_name), count in counts.items():
        for number in range(count):
            path = write_picture(folder / f"{split}-{class_name}-{number}.png", len(samples))
            samples.append(
                Sample(
                    file_path=str(path),
                    height=HEIGHT,
                    width=WIDTH,
                    split=split,
                    classifications=[Classification(class_name=class_name)],
                )
            )
    classes = sorted({class_name for _, class_name in counts})
    task = TaskInfo.from_class_names(Classification, classes)
    return Dataset.from_samples(samples, DatasetInfo(dataset_name="pets", tasks=[task]))


def image_folder(root: Path, tree: dict[str, int]) -> Path:
    """Folders (``"train/cat"``) with so many pictures in each."""
    for number, (folder, count) in enumerate(tree.items()):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for picture in range(count):
            write_picture(root / folder / f"{picture}.png", 1000 * number + picture)
    return root


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
fractions = st.floats(0, 1)
confidences = st.none() | st.sampled_from([0.0, 1.0]) | fractions
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
metas = st.none() | st.dictionaries(texts, json_values, max_size=3)


def _common(level: int) -> dict[str, Any]:
    names = st.sampled_from(CLASSES) if level == 0 else st.none() | texts
    return {
        "class_name": names,
        "object_id": st.none() | texts,
        "confidence": confidences,
        "ground_truth": st.booleans(),
        "created_at": st.none() | st.just("2026-01-02T03:04:05+01:00"),
        "meta": metas,
        "classifications": optional_lists(classifications(level + 1)) if level < 2 else st.none(),
    }


def optional_lists(elements: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | st.lists(elements, max_size=2)


def _region(level: int) -> dict[str, Any]:
    nested: dict[str, Any] = {"area": st.none() | fractions}
    if level == 0:
        nested["bboxes"] = optional_lists(bboxes(1))
        nested["polygons"] = optional_lists(polygons(1))
        nested["bitmasks"] = optional_lists(bitmasks(1))
    return _common(level) | nested


def classifications(level: int = 0) -> st.SearchStrategy[Classification]:
    return st.deferred(lambda: st.builds(Classification, **_common(level)))


def bboxes(level: int = 0) -> st.SearchStrategy[Bbox]:
    box = dict.fromkeys(("top_left_x", "top_left_y", "width", "height"), fractions)
    return st.deferred(lambda: st.builds(Bbox, **box, **_region(level)))


def polygons(level: int = 0) -> st.SearchStrategy[Polygon]:
    points = st.lists(st.builds(Point, fractions, fractions), max_size=4)
    return st.deferred(lambda: st.builds(Polygon, points=points, **_region(level)))


def bitmasks(level: int = 0, kind: type[Bitmask] = Bitmask) -> st.SearchStrategy[Bitmask]:
    def build(bits: int, fields: dict[str, Any]) -> Bitmask:
        cells = np.array([bits >> n & 1 for n in range(HEIGHT * WIDTH)], dtype=bool)
        mask = kind.from_mask(cells.reshape(HEIGHT, WIDTH))
        for name, value in fields.items():
            setattr(mask, name, value)
        return mask

    return st.deferred(
        lambda: st.builds(
            build, st.integers(0, 2 ** (HEIGHT * WIDTH) - 1), st.fixed_dictionaries(_region(level))
        )
    )


def samples(path: Path) -> st.SearchStrategy[Sample]:
    """Samples of one picture, with everything that a sample can carry."""
    return st.builds(
        Sample,
        file_path=st.just(str(path)),
        height=st.just(HEIGHT),
        width=st.just(WIDTH),
        split=st.sampled_from(["train", "validation", "test", "UNDEFINED"]),
        tags=st.lists(texts, max_size=2),
        classifications=optional_lists(classifications()),
        bboxes=optional_lists(bboxes()),
        bitmasks=optional_lists(bitmasks() | bitmasks(kind=Segmentation)),
        polygons=optional_lists(polygons()),
        meta=metas,
        collection_index=st.none() | st.integers(0, 100),
        collection_id=st.none() | texts,
        attribution=st.none()
        | st.builds(
            Attribution,
            title=st.none() | texts,
            licenses=optional_lists(
                st.builds(License, name=texts, permissions=st.none() | st.lists(texts, max_size=2))
            ),
        ),
        video_info=st.none() | st.builds(VideoInfo, frame_rate=st.none() | fractions),
        camera_info=st.none() | st.builds(CameraInfo, iso=st.none() | st.integers(0, 6400)),
        position=st.none() | st.builds(Position, latitude=st.none() | fractions),
        orientation=st.none() | st.builds(Orientation, yaw_degrees=st.none() | fractions),
    )
