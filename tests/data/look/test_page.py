import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data import (
    Bbox,
    Bitmask,
    Classification,
    Dataset,
    DatasetInfo,
    Point,
    Polygon,
    Sample,
    Segmentation,
    TaskInfo,
)
from sightline.errors import SightlineError
from tests.data.factory import INFO, classification_dataset, write_picture

EVIL = """<script>alert(1)</script>"'><img src=x onerror=alert(2)>"""


class _Page(HTMLParser):
    """Every element with its attributes, and all text outside of scripts and styles."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] not in ("script", "style"):
            self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        return [found for name, found in self.elements if name == tag and wanted.items() <= found.items()]


def _everything(folder: Path, name: str = "thing") -> Dataset:
    """One sample of each kind of annotation, all named ``name``."""
    mask = np.zeros((40, 60), bool)
    mask[5:20, 10:30] = True
    mask[8:10, 12:14] = False
    inner = Bbox(top_left_x=0.3, top_left_y=0.3, width=0.1, height=0.1, class_name=name)
    said = Classification(class_name=name, task_name="Colour")
    box = Bbox(top_left_x=0.1, top_left_y=0.1, width=0.5, height=0.5, class_name=name)
    box.bboxes, box.classifications = [inner], [said]
    sample = Sample(
        file_path=str(write_picture(folder / "a & b.png", size=(40, 60))),
        height=40,
        width=60,
        split="train",
        classifications=[Classification(class_name=name)],
        bboxes=[box],
        polygons=[Polygon(points=[Point(0, 0), Point(1, 0), Point(1, 1)], class_name=name)],
        bitmasks=[
            Bitmask.from_mask(mask, class_name=name),
            Segmentation.from_mask(~mask, class_name=name),
        ],
    )
    kinds = (Classification, Bbox, Polygon, Bitmask, Segmentation)
    tasks = [TaskInfo.from_class_names(kind, [name, "never"]) for kind in kinds]
    return Dataset.from_samples([sample], DatasetInfo(dataset_name="look", tasks=tasks))


def test_every_kind_of_annotation_is_there(tmp_path: Path) -> None:
    page = _Page(_everything(tmp_path).write_page(tmp_path / "page.html", side=120))
    [figure] = page.all("figure")
    assert figure["data-split"] == "train"
    [picture] = page.all("image")
    data = (picture["href"] or "").removeprefix("data:image/jpeg;base64,")
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (120, 80)
    assert page.all("rect") == [
        {"x": "12.0", "y": "8.0", "width": "60.0", "height": "40.0"},
        {"x": "36.0", "y": "24.0", "width": "12.0", "height": "8.0"},
    ]
    assert page.all("polygon") == [{"points": "0,0 120,0 120,80"}]
    paths = [found["d"] or "" for found in page.all("path")]
    assert sorted(path.count("M") for path in paths) == [
        2,
        3,
    ]  # with the hole; and all around, with the hole's
    assert len(page.all("input", type="checkbox")) == 1 + 1 + 5
    numbers = {found["data-class"] for found in page.all("input") if "data-class" in found}
    assert set((figure["data-classes"] or "").split()) == numbers
    assert "thing (thing)" in page.text
    assert "a & b.png" in page.text


def test_names_cannot_become_code(tmp_path: Path) -> None:
    dataset = _everything(tmp_path, EVIL)
    info = dataset.info.model_copy(update={"dataset_title": EVIL})
    info = info.model_copy(
        update={"tasks": [task.model_copy(update={"name": EVIL + task.name}) for task in info.tasks]}
    )
    sample = dataset[0]
    for annotation in sample.annotations():
        annotation.task_name = EVIL + annotation.task_name
    evil = tmp_path / '"><img src=x onerror=alert(3)>.png'
    Path(sample.file_path or "").rename(evil)
    sample.file_path = str(evil)
    path = Dataset.from_samples([sample], info).write_page(tmp_path / "page.html")
    page = _Page(path)
    assert len(page.all("script")) == 1
    assert not page.all("img")
    assert not [name for _, found in page.elements for name in found if name.startswith("on")]
    assert EVIL in page.text


def test_only_its_own_script_runs_and_nothing_is_fetched(tmp_path: Path) -> None:
    path = _everything(tmp_path).write_page(tmp_path / "page.html")
    content = path.read_text("utf-8")
    [meta] = _Page(path).all("meta", http_equiv="Content-Security-Policy")
    [script] = re.findall(r"<script>(.*?)</script>", content, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert meta["content"] == (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    assert not re.findall(r"""(?:src|href)=["'](?!data:)|url\(|@import|https?:""", content)


def test_which_samples(tmp_path: Path) -> None:
    pets = classification_dataset(tmp_path / "images", {("train", "cat"): 7, ("test", "dog"): 3})

    def shown(**arguments: int | str) -> list[str | None]:
        path = pets.write_page(tmp_path / "page.html", **arguments)  # pyright: ignore[reportArgumentType]
        return [found["data-split"] for found in _Page(path).all("figure")]

    assert len(shown()) == 10
    assert shown(split="test") == ["test"] * 3
    assert len(shown(n=4)) == 4
    first = (tmp_path / "page.html").read_bytes()
    shown(n=4)
    assert (tmp_path / "page.html").read_bytes() == first


def test_many_classes_can_be_searched(tmp_path: Path) -> None:
    counts = {("train", f"class {number}"): 1 for number in range(14)}
    path = classification_dataset(tmp_path / "images", counts).write_page(tmp_path / "page.html")
    assert len(_Page(path).all("input", id="search")) == 1
    assert not _Page(_everything(tmp_path).write_page(tmp_path / "b.html")).all("input", id="search")


def test_bad_arguments_are_one_sentence(tmp_path: Path) -> None:
    dataset = _everything(tmp_path)
    for name, arguments, message in (
        ("page.pdf", {}, r"page\.pdf: name the page \.html"),
        ("page.html", {"side": 1}, "side is 1"),
        ("page.html", {"n": 0}, "n is 0"),
    ):
        with pytest.raises(SightlineError, match=message):
            dataset.write_page(tmp_path / name, **arguments)
    with pytest.raises(SightlineError, match="has no samples to show"):
        Dataset.from_samples([], INFO).write_page(tmp_path / "page.html")
