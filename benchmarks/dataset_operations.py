"""The operations of `dataset.py`, ours and the peer's: each function prepares, and returns what is measured.

Run by `dataset.py` in a process of its own, with either's Python:

    python benchmarks/dataset_operations.py (ours|theirs) OPERATION FOLDER COUNT

It prints seconds and the peak memory in GiB.
"""

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SPLITS = {"train": 0.7, "validation": 0.2, "test": 0.1}
CLASSES = [f"class {number}" for number in range(20)]
BOXES = 5
SIDE = 32  # pixels

Operation = Callable[[Path, int], Callable[[], object]]


def empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def boxes_of(count: int) -> Any:
    """Class, left, top, width and height of all boxes, float64 of shape (count * BOXES, 5)."""
    import numpy as np

    numbers = np.random.default_rng(0).random((count * BOXES, 5)) * [len(CLASSES), 0.5, 0.5, 0.4, 0.4]
    numbers[:, 0] = np.floor(numbers[:, 0])
    numbers[:, 3:] += 0.05
    return numbers


def splits_of(count: int) -> list[str]:
    edges = [round(count * 0.7), round(count * 0.9)]
    return ["train" if i < edges[0] else "validation" if i < edges[1] else "test" for i in range(count)]


def image_path(folder: Path, number: int) -> str:
    return f"{folder}/images/{number:06d}.jpg"


# --- the input, made once -----------------------------------------------------------------------------


def prepare(folder: Path, count: int) -> None:
    """Images, and the same annotations as a COCO folder (Roboflow's layout) and a YOLO folder (darknet's)."""
    make_images(folder, count)
    boxes, splits = boxes_of(count), splits_of(count)
    for split in SPLITS:
        numbers = [number for number, other in enumerate(splits) if other == split]
        coco, yolo = folder / "coco" / split, folder / "yolo" / split
        (yolo / "data").mkdir(parents=True)
        coco.mkdir(parents=True)
        images, annotations, listed = [], [], []
        for number in numbers:
            name = f"{number:06d}.jpg"
            os.link(image_path(folder, number), coco / name)
            os.link(image_path(folder, number), yolo / "data" / name)
            images.append({"id": number, "file_name": name, "height": SIDE, "width": SIDE})
            lines = []
            for row in range(number * BOXES, (number + 1) * BOXES):
                index, left, top, width, height = boxes[row].tolist()
                annotations.append(coco_annotation(row, number, int(index), left, top, width, height))
                lines.append(f"{int(index)} {left + width / 2} {top + height / 2} {width} {height}")
            (yolo / "data" / f"{number:06d}.txt").write_text("\n".join(lines))
            listed.append(f"data/{name}")
        (yolo / "images.txt").write_text("\n".join(listed))
        categories = [{"id": number + 1, "name": name} for number, name in enumerate(CLASSES)]
        whole = {"images": images, "annotations": annotations, "categories": categories}
        (coco / "_annotations.coco.json").write_text(json.dumps(whole))
    (folder / "yolo" / "obj.names").write_text("\n".join(CLASSES))


def make_images(folder: Path, count: int) -> None:
    """``count`` names for a thousand pictures, which is quicker than as many files and read like them."""
    import numpy as np
    from PIL import Image

    (folder / "images").mkdir(parents=True)
    for number in range(count):
        path = image_path(folder, number)
        if number < 1000:
            pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        else:
            os.link(image_path(folder, number % 1000), path)


def coco_annotation(
    row: int, image: int, index: int, left: float, top: float, width: float, height: float
) -> dict[str, Any]:
    x, y, w, h = (round(value * SIDE, 3) for value in (left, top, width, height))
    return {
        "id": row + 1,
        "image_id": image,
        "category_id": index + 1,
        "bbox": [x, y, w, h],
        "area": w * h,
        "iscrowd": 0,
        "segmentation": [[x, y, x + w, y, x + w, y + h, x, y + h]],
    }


# --- ours ----------------------------------------------------------------------------------------------


def our_info() -> Any:
    from sightline.data import Bbox, DatasetInfo, TaskInfo

    return DatasetInfo(dataset_name="benchmark", tasks=[TaskInfo.from_class_names(Bbox, CLASSES)])


def our_samples(folder: Path, count: int) -> Iterator[Any]:
    from sightline.data import Bbox, Sample

    boxes, splits = boxes_of(count), splits_of(count)

    def sample(number: int) -> Sample:
        rows = boxes[number * BOXES : (number + 1) * BOXES].tolist()
        return Sample(
            file_path=image_path(folder, number),
            height=SIDE,
            width=SIDE,
            split=splits[number],
            bboxes=[
                Bbox(
                    top_left_x=x,
                    top_left_y=y,
                    width=w,
                    height=h,
                    class_idx=int(c),
                    class_name=CLASSES[int(c)],
                )
                for c, x, y, w, h in rows
            ],
        )

    return map(sample, range(count))


def our_from_samples(folder: Path, count: int) -> Callable[[], object]:
    from sightline.data import Dataset

    info, samples = our_info(), list(our_samples(folder, count))
    return lambda: Dataset.from_samples(samples, info)


def our_from_sample_stream(folder: Path, count: int) -> Callable[[], object]:
    from sightline.data import Dataset

    info, samples = our_info(), our_samples(folder, count)
    return lambda: Dataset.from_samples(samples, info)


def our_from_columns(folder: Path, count: int) -> Callable[[], Any]:
    import numpy as np
    import polars as pl

    from sightline.data import Dataset

    boxes = boxes_of(count)
    samples = pl.DataFrame(
        {"file_path": [image_path(folder, n) for n in range(count)], "split": splits_of(count)}
    ).with_columns(height=pl.lit(SIDE), width=pl.lit(SIDE))
    table = pl.DataFrame(
        {
            "position": np.repeat(np.arange(count, dtype=np.uint32), BOXES),
            "class_idx": boxes[:, 0].astype(np.int64),
            "top_left_x": boxes[:, 1],
            "top_left_y": boxes[:, 2],
            "width": boxes[:, 3],
            "height": boxes[:, 4],
        }
    )
    return lambda: Dataset.from_tables(our_info(), samples, bboxes=table)


def our_dataset(folder: Path, count: int) -> Any:
    return our_from_columns(folder, count)()


def our_write_annotations(folder: Path, count: int) -> Callable[[], object]:
    import polars as pl

    from sightline.data.annotation_files import write_annotations

    dataset, target = our_dataset(folder, count), empty(folder / "ours")
    relative = dataset.samples.with_columns(pl.col("file_path").str.strip_prefix(f"{folder}/"))

    def write() -> None:
        write_annotations(relative, target)
        dataset.info.write(target / "dataset_info.json")

    return write


def our_write(folder: Path, count: int) -> Callable[[], object]:
    dataset = our_dataset(folder, count)
    return lambda: dataset.write(folder / "our-copy", overwrite=True, progress=False)


def our_read(folder: Path, _count: int) -> Callable[[], object]:
    from sightline.data import Dataset

    return lambda: Dataset.from_path(folder / "ours", check_images=False)


def our_export(name: str) -> Operation:
    def prepared(folder: Path, count: int) -> Callable[[], object]:
        dataset, target = our_dataset(folder, count), empty(folder / f"our-{name}")
        if name == "coco":
            return lambda: dataset.to_coco(target, layout="roboflow", how="symlink", progress=False)
        return lambda: dataset.to_yolo(target, how="symlink", progress=False)

    return prepared


def our_coco_import(folder: Path, _count: int) -> Callable[[], object]:
    from sightline.data import Dataset

    return lambda: Dataset.from_coco(folder / "coco", check_images=False, progress=False)


def our_yolo_import(folder: Path, _count: int) -> Callable[[], object]:
    from sightline.data import Dataset

    return lambda: Dataset.from_yolo(folder / "yolo", progress=False)


def our_splits(folder: Path, _count: int) -> Callable[[], object]:
    dataset: Any = our_read(folder, 0)()
    return lambda: dataset.create_splits(SPLITS)


def our_stats(folder: Path, _count: int) -> Callable[[], object]:
    from io import StringIO

    from rich.console import Console

    dataset: Any = our_read(folder, 0)()
    return lambda: dataset.print_stats(Console(file=StringIO()))


# --- the peer ------------------------------------------------------------------------------------------


def their_samples(folder: Path, count: int) -> tuple[Any, Any]:
    from hafnia.dataset.hafnia_dataset_types import DatasetInfo, Sample, TaskInfo  # pyright: ignore
    from hafnia.dataset.primitives import Bbox  # pyright: ignore

    boxes, splits = boxes_of(count), splits_of(count)

    def sample(number: int) -> Any:
        rows = boxes[number * BOXES : (number + 1) * BOXES].tolist()
        return Sample(
            file_path=image_path(folder, number),
            height=SIDE,
            width=SIDE,
            split=splits[number],
            bboxes=[
                Bbox(
                    top_left_x=x,
                    top_left_y=y,
                    width=w,
                    height=h,
                    class_idx=int(c),
                    class_name=CLASSES[int(c)],
                )
                for c, x, y, w, h in rows
            ],
        )

    info = DatasetInfo(dataset_name="benchmark", tasks=[TaskInfo.from_class_names(Bbox, CLASSES)])
    return map(sample, range(count)), info


def their_class() -> Any:
    from hafnia.dataset.hafnia_dataset import HafniaDataset  # pyright: ignore

    return HafniaDataset


def their_from_samples(folder: Path, count: int) -> Callable[[], Any]:
    stream, info = their_samples(folder, count)
    dataset, samples = their_class(), list(stream)
    return lambda: dataset.from_samples_list(samples, info)


def their_from_sample_stream(folder: Path, count: int) -> Callable[[], Any]:
    samples, info = their_samples(folder, count)
    dataset = their_class()
    return lambda: dataset.from_samples_iterable(samples, info)


def their_dataset(folder: Path, count: int) -> Any:
    return their_from_sample_stream(folder, count)()


def their_write_annotations(folder: Path, count: int) -> Callable[[], object]:
    import polars as pl

    dataset, target = their_dataset(folder, count), empty(folder / "theirs")
    inside = pl.col("file_path").str.replace(str(folder), str(target), literal=True)
    dataset = dataset.update_samples(dataset.samples.with_columns(inside))
    return lambda: dataset.write_annotations(target)


def their_write(folder: Path, count: int) -> Callable[[], object]:
    dataset, target = their_dataset(folder, count), empty(folder / "their-copy")
    return lambda: dataset.write(target)


def their_read(folder: Path, _count: int) -> Callable[[], object]:
    dataset = their_class()
    return lambda: dataset.from_path(folder / "theirs", check_for_images=False)


def their_export(name: str) -> Operation:
    def prepared(folder: Path, count: int) -> Callable[[], object]:
        dataset, target = their_dataset(folder, count), empty(folder / f"their-{name}")
        export = dataset.to_coco_format if name == "coco" else dataset.to_yolo_format
        return lambda: export(target, storage_mode="symlink")

    return prepared


def their_import(name: str) -> Operation:
    def prepared(folder: Path, _count: int) -> Callable[[], object]:
        dataset = their_class()
        read = dataset.from_coco_format if name == "coco" else dataset.from_yolo_format
        return lambda: read(folder / name)

    return prepared


OURS: dict[str, Operation] = {
    "from_samples": our_from_samples,
    "from_sample_stream": our_from_sample_stream,
    "from_columns": our_from_columns,
    "write_annotations": our_write_annotations,
    "write_with_images": our_write,
    "read": our_read,
    "coco_export": our_export("coco"),
    "coco_import": our_coco_import,
    "yolo_export": our_export("yolo"),
    "yolo_import": our_yolo_import,
}
INPUT: dict[str, Operation] = {"input": lambda folder, count: lambda: prepare(folder, count)}
ALONE: dict[str, Operation] = {
    "write_1m": our_write_annotations,
    "read_1m": our_read,
    "create_splits_1m": our_splits,
    "print_stats_1m": our_stats,
}
THEIRS: dict[str, Operation] = {
    "from_samples": their_from_samples,
    "from_sample_stream": their_from_sample_stream,
    "from_columns": their_from_samples,  # it has no other way
    "write_annotations": their_write_annotations,
    "write_with_images": their_write,
    "read": their_read,
    "coco_export": their_export("coco"),
    "coco_import": their_import("coco"),
    "yolo_export": their_export("yolo"),
    "yolo_import": their_import("yolo"),
}


def main() -> None:
    side, name, folder, count = sys.argv[1:]
    operations = THEIRS if side == "theirs" else INPUT | OURS | ALONE
    function = operations[name](Path(folder), int(count))
    started = time.perf_counter()
    result = function()
    seconds = time.perf_counter() - started
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    del result
    print("\n" + json.dumps([seconds, gib]), flush=True)


if __name__ == "__main__":
    main()
