import gzip
import json
import logging
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from sightline.data import Dataset
from sightline.data.formats.torchvision import is_torchvision
from sightline.errors import SightlineError
from tests.data.factory import image_folder, write_picture
from tests.needs import shared_data


def _write_idx(path: Path, values: np.ndarray, packed: bool = False) -> None:
    content = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes() + values.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if packed else content)


def _mnist(root: Path, name: str = "MNIST", packed: bool = False) -> Path:
    """Forty handwritten digits in the files of MNIST."""
    digits = load_digits()
    images, labels = (digits.images * 15).astype(np.uint8), digits.target.astype(np.uint8)
    for prefix, part in (("train", slice(30)), ("t10k", slice(30, 40))):
        ending = ".gz" if packed else ""
        _write_idx(root / name / "raw" / f"{prefix}-images-idx3-ubyte{ending}", images[part], packed)
        _write_idx(root / name / "raw" / f"{prefix}-labels-idx1-ubyte{ending}", labels[part], packed)
    return root


def _cifar10(root: Path, count: int = 20) -> Path:
    """Real CIFAR-10 pictures in the pickles that the dataset comes in, as Python 2 wrote them."""
    with zipfile.ZipFile(shared_data("cifar10") / "cifar10-6k.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[:: 6000 // count]
        pictures = np.stack([np.asarray(Image.open(archive.open(name))) for name in names])
    classes = sorted({name.split("/")[-2] for name in names})
    labels = [classes.index(name.split("/")[-2]) for name in names]
    data = pictures.transpose(0, 3, 1, 2).reshape(len(pictures), 3072)
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for number in range(1, 7):
        rows = slice(*((number - 1) * len(data) // 6, number * len(data) // 6))
        name = "test_batch" if number == 6 else f"data_batch_{number}"
        _pickle(folder / name, {"data": data[rows], "labels": labels[rows], "filenames": ["x.png"]})
    _pickle(folder / "batches.meta", {"label_names": classes, "num_vis": 3072})
    return root


def _pickle(path: Path, content: Any) -> None:
    path.write_bytes(pickle.dumps(content, protocol=2))


def _same(dataset: Dataset, original: Any, task: str = "image_classification") -> None:
    """The dataset's samples are those of a torchvision dataset, in order."""
    assert len(dataset) == len(original)
    for sample, (image, target) in zip(dataset, original, strict=True):
        assert (sample.read_image() == np.asarray(image.convert("RGB"))).all()
        assert [c.class_idx for c in sample.classifications or () if c.task_name == task] == [target]


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_idx_files(tmp_path: Path, name: str) -> None:
    root = _mnist(tmp_path / "root", name)
    dataset = Dataset.from_torchvision(root, folder=tmp_path / "images")
    assert dataset.info.dataset_name == name
    original = getattr(torchvision.datasets, name)
    _same(dataset.create_split_dataset("train"), original(root, train=True))
    _same(dataset.create_split_dataset("test"), original(root, train=False))
    names = [text.split(" - ")[0] for text in original.classes]
    assert dataset.info.task().class_names == names
    packed = _mnist(tmp_path / "packed", name, packed=True)
    again = Dataset.from_torchvision(packed, folder=tmp_path / "images")
    assert again.samples.equals(dataset.samples)
    own = Dataset.from_torchvision(packed / name / "raw", dataset=name, folder=tmp_path / "images")
    assert own.samples.equals(dataset.samples)


def test_cifar10_pickles(tmp_path: Path) -> None:
    root = _cifar10(tmp_path / "root")
    dataset = Dataset.from_torchvision(root, folder=tmp_path / "images")

    class Unchecked(torchvision.datasets.CIFAR10):  # these are not the original files
        def _check_integrity(self) -> bool:
            return True

        def _load_meta(self) -> None:
            self.classes = []

    _same(dataset.create_split_dataset("train"), Unchecked(str(root), train=True))
    _same(dataset.create_split_dataset("test"), Unchecked(str(root), train=False))
    names = dataset.info.task().class_names
    assert names
    assert names[:3] == ["airplane", "automobile", "bird"]
    of_object = Dataset.from_torchvision(Unchecked(str(root), train=False), folder=tmp_path / "images")
    assert of_object.samples["file_path"].equals(dataset.create_split_dataset("test").samples["file_path"])
    assert [s.split for s in of_object] == ["test"] * len(of_object)


def test_cifar100_has_its_superclasses(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    data = np.random.default_rng(0).integers(0, 256, (4, 3072), dtype=np.uint8)
    for name in ("train", "test"):
        _pickle(folder / name, {"data": data, "fine_labels": [0, 1, 2, 1], "coarse_labels": [0, 0, 1, 0]})
    _pickle(
        folder / "meta", {"fine_label_names": ["oak", "elm", "cod"], "coarse_label_names": ["tree", "fish"]}
    )
    dataset = Dataset.from_torchvision(tmp_path, folder=tmp_path / "images")
    assert [c.class_name for c in dataset[2].classifications or ()] == ["cod", "fish"]
    assert [task.name for task in dataset.info.tasks] == ["image_classification", "superclass"]


def test_stl10(tmp_path: Path) -> None:
    folder = tmp_path / "root" / "stl10_binary"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        (folder / f"{split}_X.bin").write_bytes(
            rng.integers(0, 256, 3 * 96 * 96 * 4, dtype=np.uint8).tobytes()
        )
        (folder / f"{split}_y.bin").write_bytes(bytes((1, 10, 3, 2)))
    (folder / "class_names.txt").write_text("\n".join("abcdefghij"))
    dataset = Dataset.from_torchvision(tmp_path / "root", folder=tmp_path / "images")

    class Unchecked(torchvision.datasets.STL10):
        def _check_integrity(self) -> bool:
            return True

    _same(dataset.create_split_dataset("test"), Unchecked(str(tmp_path / "root"), "test"))
    assert [(s.classifications or [])[0].class_name for s in dataset[:4]] == list("ajcb")


class _Malice:
    def __reduce__(self) -> Any:
        return Path.touch, (Path(_Malice.target),)

    target = ""


def test_a_pickle_runs_nothing(tmp_path: Path) -> None:
    root = _cifar10(tmp_path / "root")
    _Malice.target = str(tmp_path / "run")
    for content in ({"data": _Malice()}, _Malice(), {"data": np.array([_Malice()], dtype=object)}):
        _pickle(root / "cifar-10-batches-py" / "data_batch_2", content)
        with pytest.raises(SightlineError, match=r"data_batch_2: cannot be read .*it wants to run"):
            Dataset.from_torchvision(root, folder=tmp_path / "images")
    assert not Path(_Malice.target).exists()
    assert not (tmp_path / "images").exists()


@given(
    cut=st.integers(0, 3000),
    name=st.sampled_from(["train-images-idx3-ubyte", "data_batch_1", "batches.meta"]),
)
@settings(max_examples=30, deadline=None)
def test_a_truncated_file_is_named(tmp_path_factory: pytest.TempPathFactory, cut: int, name: str) -> None:
    root = tmp_path_factory.mktemp("root")
    _mnist(root) if "idx" in name else _cifar10(root, 12)
    (path,) = root.rglob(name)
    content = path.read_bytes()
    path.write_bytes(content[: min(cut, len(content) - 1)])
    with pytest.raises(SightlineError, match=name):
        Dataset.from_torchvision(root, folder=root / "images")


def test_wrong_roots_are_one_sentence(tmp_path: Path) -> None:
    images = tmp_path / "images"
    with pytest.raises(SightlineError, match="no such folder"):
        Dataset.from_torchvision(tmp_path / "nowhere", folder=images)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SightlineError, match="holds none of MNIST, FashionMNIST"):
        Dataset.from_torchvision(tmp_path / "empty", folder=images)
    with pytest.raises(SightlineError, match="dataset='Flowers102' is none of"):
        Dataset.from_torchvision(tmp_path / "empty", dataset="Flowers102", folder=images)
    with pytest.raises(SightlineError, match="holds no files of KMNIST"):
        Dataset.from_torchvision(tmp_path / "empty", dataset="KMNIST", folder=images)
    root = _mnist(_mnist(tmp_path / "two"), "KMNIST")
    assert is_torchvision(root)
    assert not is_torchvision(tmp_path / "empty")
    with pytest.raises(SightlineError, match="holds MNIST and KMNIST; say which one"):
        Dataset.from_torchvision(root, folder=images)
    with pytest.raises(SightlineError, match=r"give a folder to put them in, folder=\."):
        Dataset.from_torchvision(root, dataset="MNIST")
    labels = root / "MNIST/raw/t10k-labels-idx1-ubyte"
    _write_idx(labels, np.full(10, 11, np.uint8))
    with pytest.raises(SightlineError, match="test has class 11 of 10"):
        Dataset.from_torchvision(root, dataset="MNIST", folder=images)
    _write_idx(labels, np.full(9, 1, np.uint8))
    with pytest.raises(SightlineError, match="test has 10 images and 9 labels"):
        Dataset.from_torchvision(root, dataset="MNIST", folder=images)


def test_objects_of_files_leave_them_where_they_are(tmp_path: Path) -> None:
    root = image_folder(tmp_path / "x", {"cat": 2, "dog": 1})
    dataset = Dataset.from_torchvision(torchvision.datasets.ImageFolder(str(root)), split="test")
    assert [s.file_path for s in dataset] == [
        str(root / "cat/0.png"),
        str(root / "cat/1.png"),
        str(root / "dog/0.png"),
    ]
    assert [(s.classifications or [])[0].class_name for s in dataset] == ["cat", "cat", "dog"]
    assert {s.split for s in dataset} == {"test"}


def test_oxford_pets(tmp_path: Path) -> None:
    base = tmp_path / "oxford-iiit-pet"
    (base / "annotations" / "trimaps").mkdir(parents=True)
    for number, name in enumerate(["Abyssinian_1", "beagle_2"]):
        write_picture(base / "images" / f"{name}.jpg", number)
        trimap = np.ones((12, 16), np.uint8)
        trimap[3:, number:] = 2 + number
        Image.fromarray(trimap).save(base / "annotations" / "trimaps" / f"{name}.png")
    for split in ("trainval", "test"):
        (base / "annotations" / f"{split}.txt").write_text("Abyssinian_1 1 1 1\nbeagle_2 2 2 1\n")
    source = torchvision.datasets.OxfordIIITPet(str(tmp_path), "test", ["category", "segmentation"])
    dataset = Dataset.from_torchvision(source, ignore=3)
    assert [(s.classifications or [])[0].class_name for s in dataset] == ["Abyssinian", "Beagle"]
    assert [[m.class_name for m in s.bitmasks or ()] for s in dataset] == [["1", "2"], ["1"]]
    for sample, (_, (_, trimap)) in zip(dataset, source, strict=True):
        for mask in sample.bitmasks or ():
            assert (mask.to_mask(12, 16) == (np.asarray(trimap) == int(mask.class_name or 0))).all()
    assert dataset[0].split == "test"


def test_voc_detection(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    base = tmp_path / "VOCdevkit" / "VOC2012"
    write_picture(base / "JPEGImages" / "1.jpg", size=(50, 100))
    (base / "ImageSets" / "Main").mkdir(parents=True)
    (base / "ImageSets" / "Main" / "val.txt").write_text("1\n")
    (base / "Annotations").mkdir()
    boxes = ((10, 20, 40, 30), (5, 5, 5, 9))
    objects = "".join(
        f"<object><name>dog</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax>"
        "</bndbox></object>"
        for a, b, c, d in boxes
    )
    (base / "Annotations" / "1.xml").write_text(f"<annotation>{objects}</annotation>")
    with caplog.at_level(logging.WARNING, "sightline.data"):
        dataset = Dataset.from_torchvision(torchvision.datasets.VOCDetection(str(tmp_path), "2012", "val"))
    assert [b.to_pixels(100, 50) for b in dataset[0].bboxes or ()] == [(10, 20, 40, 30)]
    assert dataset[0].split == "validation"
    assert "1 boxes of no size left out; the first is item 0" in caplog.text


def test_coco_detection(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_picture(tmp_path / "1.png", size=(50, 100))
    annotation = {"id": 1, "image_id": 3, "category_id": 7, "bbox": [10, 20, 30, 10], "iscrowd": 0, "area": 1}
    outline = {"segmentation": [[10, 20, 40, 20, 40, 30]]}
    content = {
        "images": [{"id": 3, "file_name": "1.png", "height": 50, "width": 100}],
        "annotations": [annotation | outline],
        "categories": [{"id": 4, "name": "cat"}, {"id": 7, "name": "dog"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    source = torchvision.datasets.CocoDetection(str(tmp_path), str(tmp_path / "a.json"))
    with caplog.at_level(logging.WARNING, "sightline.data"):
        dataset = Dataset.from_torchvision(source)
    (box,) = dataset[0].bboxes or ()
    assert (box.class_name, box.class_idx) == ("dog", 1)
    assert box.to_pixels(100, 50) == pytest.approx((10, 20, 40, 30))
    assert "1 outlines of objects left out" in caplog.text


class _Listed:
    """A dataset of pairs that are given."""

    def __init__(self, *items: tuple[Any, Any]) -> None:
        self._items = items
        self.transforms = None

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._items[index]


def test_tensors_and_dicts_of_boxes(tmp_path: Path) -> None:
    pixels = torch.randint(0, 256, (3, 50, 100), dtype=torch.uint8)
    target = {"boxes": torch.tensor([[10.0, 20, 40, 30]]), "labels": torch.tensor([2])}
    empty = {"boxes": torch.zeros((0, 4)), "labels": torch.zeros(0, dtype=torch.int64)}
    dataset = Dataset.from_torchvision(_Listed((pixels, target), (pixels, empty)), folder=tmp_path)
    assert (dataset[0].read_image() == pixels.permute(1, 2, 0).numpy()).all()
    assert [(b.class_name, b.to_pixels(100, 50)) for b in dataset[0].bboxes or ()] == [
        ("2", (10, 20, 40, 30))
    ]
    assert dataset[1].bboxes == []


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ((Image.new("RGB", (4, 4)), 1.5), "item 1: the target is a float"),
        ((Image.new("RGB", (4, 4)), (1, 2)), "item 1: the target holds several classes"),
        ((Image.new("RGB", (4, 4)), Image.new("RGB", (4, 4))), r"item 1: the label map is uint8 \(4, 4, 3\)"),
        ((torch.zeros(3, 4, 4), 1), "item 1: the image is a Tensor"),
    ],
)
def test_items_that_make_no_sense_are_named(tmp_path: Path, item: Any, sentence: str) -> None:
    source = _Listed((Image.new("RGB", (4, 4)), 0), item)
    with pytest.raises(SightlineError, match=sentence):
        Dataset.from_torchvision(source, folder=tmp_path)
    with pytest.raises(SightlineError, match="a int is neither a path nor a dataset"):
        Dataset.from_torchvision(3)
    source.transforms = torch.nn.Identity()
    with pytest.raises(SightlineError, match="make it without them"):
        Dataset.from_torchvision(source, folder=tmp_path)
