"""COCO files for tests: small ones made by hand."""

import json
from pathlib import Path
from typing import Any

from tests.data.factory import write_picture

HEIGHT, WIDTH = 40, 60


def image(number: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "file_name": f"{number}.jpg", "height": HEIGHT, "width": WIDTH, **more}


def annotation(number: int, image_id: int, category_id: int = 1, **more: Any) -> dict[str, Any]:
    box = [1.5, 2.25, 10.125, 20.0625]
    return {"id": number, "image_id": image_id, "category_id": category_id, "bbox": box, "area": 203.1328125,
            "iscrowd": 0, **more}  # fmt: skip


def content(
    images: list[dict[str, Any]], annotations: list[dict[str, Any]] | None, **more: Any
) -> dict[str, Any]:
    """A COCO file as an object, with the categories 1 "cat" and 90 "dog"."""
    categories = [
        {"id": 1, "name": "cat", "supercategory": "animal"},
        {"id": 90, "name": "dog", "supercategory": "animal", "colour": [1, 2]},
    ]
    whole = {"info": {"description": "Pets", "year": 2026}, "licenses": [], "categories": categories,
             "images": images} | more  # fmt: skip
    return whole if annotations is None else whole | {"annotations": annotations}


def put(path: Path, whole: dict[str, Any], images: Path | None = None) -> Path:
    """Write a COCO file, and the pictures that it names into ``images``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole), encoding="utf-8")
    for entry in whole["images"] if images else ():
        write_picture(images / entry["file_name"], entry["id"], (HEIGHT, WIDTH))
    return path


def single(root: Path, annotations: list[dict[str, Any]], images: int = 1, **more: Any) -> Path:
    """A folder in COCO's layout with one split of so many images, numbered from 1."""
    entries = [image(number) for number in range(1, images + 1)]
    put(root / "annotations" / "instances_train.json", content(entries, annotations, **more), root / "train")
    return root


def read_back(root: Path, split: str = "train") -> dict[str, Any]:
    """What stands in the file of a split of a folder in COCO's layout."""
    return json.loads((root / "annotations" / f"instances_{split}.json").read_text(encoding="utf-8"))
