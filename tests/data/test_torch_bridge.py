import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
from tests.data.factory import HEIGHT, INFO, WIDTH, classification_dataset, write_picture
from tests.needs import needs

try:
    import torch
    from torch.utils.data import DataLoader
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    from sightline.data.torch_bridge import IGNORE_INDEX, TorchDataset, collate
except ModuleNotFoundError:  # the extra `train` is not installed
    torch = None


@pytest.fixture(autouse=True)
def _torch() -> None:
    needs("torch", torch is not None)


def _box(x: float, y: float, class_name: str = "cat", **fields: Any) -> Bbox:
    return Bbox(top_left_x=x, top_left_y=y, width=0.25, height=0.5, class_name=class_name, **fields)


def _one(tmp_path: Path, **fields: Any) -> Dataset:
    path = write_picture(tmp_path / "a.png")
    return Dataset.from_samples([Sample(file_path=str(path), height=HEIGHT, width=WIDTH, **fields)], INFO)


def test_classification(tmp_path: Path) -> None:
    dataset = classification_dataset(tmp_path, {("train", "dog"): 2, ("train", "cat"): 1})
    items = TorchDataset(dataset)
    image, target = items[2]
    assert isinstance(image, tv_tensors.Image)
    assert (image.dtype, tuple(image.shape)) == (torch.uint8, (3, HEIGHT, WIDTH))
    assert (image.permute(1, 2, 0).numpy() == dataset[2].read_image()).all()
    assert (target["label"].dtype, int(target["label"])) == (torch.int64, 0)
    assert items.class_names == ["cat", "dog"]
    assert [int(target["label"]) for _, target in items] == [1, 1, 0]


def test_boxes_and_a_flip(tmp_path: Path) -> None:
    boxes = [_box(0, 0.5), _box(0.9, 0.0, "Ärger"), _box(0, 0, confidence=0.3, ground_truth=False)]
    dataset = _one(tmp_path, bboxes=boxes)
    _, target = TorchDataset(dataset, task=Bbox)[0]
    assert target["boxes"].tolist() == pytest.approx(np.array([[0, 6, 4, 12], [14.4, 0, 16, 6]]), abs=1e-5)
    assert target["labels"].tolist() == [0, 1]
    _, flipped = TorchDataset(dataset, v2.RandomHorizontalFlip(1.0), "object_detection")[0]
    assert flipped["boxes"][0].tolist() == [12, 6, 16, 12]


def test_no_boxes_is_an_empty_tensor(tmp_path: Path) -> None:
    for boxes in (None, []):
        _, target = TorchDataset(_one(tmp_path, bboxes=boxes), task=Bbox)[0]
        assert tuple(target["boxes"].shape) == (0, 4)
        assert tuple(target["labels"].shape) == (0,)


def test_masks_of_bitmasks_and_polygons(tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[2:5, 3:9] = True
    square = [Point(0.25, 0.25), Point(0.75, 0.25), Point(0.75, 0.75), Point(0.25, 0.75)]
    dataset = _one(
        tmp_path,
        bitmasks=[Bitmask.from_mask(mask, class_name="Ärger")],
        polygons=[Polygon(points=square, class_name="cat")],
    )
    _, target = TorchDataset(dataset, task=Bitmask)[0]
    assert isinstance(target["masks"], tv_tensors.Mask)
    assert (target["masks"].numpy() == mask[None]).all()
    assert target["boxes"].tolist() == [[3, 2, 9, 5]]
    assert target["labels"].tolist() == [1]
    _, target = TorchDataset(dataset, task=Polygon)[0]
    assert target["masks"][0, 4:9, 5:12].all()
    assert not target["masks"][0, :3].any()


def test_a_semantic_mask_ignores_what_has_no_class(tmp_path: Path) -> None:
    left = np.zeros((HEIGHT, WIDTH), dtype=bool)
    left[:, :4] = True
    top = np.zeros((HEIGHT, WIDTH), dtype=bool)
    top[:2] = True
    masks = [Segmentation.from_mask(left, class_name="cat"), Segmentation.from_mask(top, class_name="Ärger")]
    _, target = TorchDataset(_one(tmp_path, bitmasks=masks), task=Segmentation)[0]
    mask = target["mask"].numpy()
    assert (mask[:2] == 1).all()
    assert (mask[2:, :4] == 0).all()
    assert (mask[2:, 4:] == IGNORE_INDEX).all()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2])
def test_batches(tmp_path: Path, workers: int) -> None:
    dataset = classification_dataset(tmp_path, {("train", "dog"): 4, ("train", "cat"): 4})
    transform = v2.Compose([v2.Resize((8, 8)), v2.ToDtype(torch.float32, scale=True)])
    loader = DataLoader(
        TorchDataset(dataset, transform),
        batch_size=4,
        collate_fn=collate,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,
    )
    batches = list(loader)
    assert [tuple(images.shape) for images, _ in batches] == [(4, 3, 8, 8)] * 2
    assert torch.cat([targets["label"] for _, targets in batches]).tolist() == [1] * 4 + [0] * 4


def test_workers_that_are_started_afresh_get_it_pickled(tmp_path: Path) -> None:
    dataset = TorchDataset(_one(tmp_path, bboxes=[_box(0, 0)]), v2.RandomHorizontalFlip(1.0), Bbox)
    _, target = pickle.loads(pickle.dumps(dataset))[0]
    assert target["boxes"].tolist() == [[12, 0, 16, 6]]


def test_boxes_stay_lists_in_a_batch(tmp_path: Path) -> None:
    items = TorchDataset(_one(tmp_path, bboxes=[_box(0, 0)]), task=Bbox)
    images, targets = collate([items[0], items[0]])
    assert tuple(images.shape) == (2, 3, HEIGHT, WIDTH)
    assert [tuple(boxes.shape) for boxes in targets["boxes"]] == [(1, 4), (1, 4)]
    other = (torch.zeros(3, 5, 5, dtype=torch.uint8), items[0][1])
    with pytest.raises(SightlineError, match="images of the shapes"):
        collate([items[0], other])


def test_what_is_unclear_is_one_sentence(tmp_path: Path) -> None:
    labels = [Classification(class_name="cat"), Classification(class_name="Ärger")]
    dataset = _one(tmp_path, classifications=labels)
    with pytest.raises(SightlineError, match="has several tasks: 'image_classification'"):
        TorchDataset(dataset)
    with pytest.raises(
        SightlineError, match=r"a\.png: has 2 labels of task 'image_classification', expected one"
    ):
        TorchDataset(dataset, task=Classification)
    two = DatasetInfo(
        dataset_name="x", tasks=[TaskInfo(primitive=Bbox, name="a"), TaskInfo(primitive=Bbox, name="b")]
    )
    with pytest.raises(SightlineError, match=r"has several tasks: 'a' \(Bbox\), 'b' \(Bbox\); name one"):
        TorchDataset(Dataset(two, dataset.samples), task=Bbox)
    other = DatasetInfo(dataset_name="x", tasks=[TaskInfo.from_class_names(Classification, ["dog"])])
    with pytest.raises(SightlineError, match=r"a\.png: class 'cat' is not a class of task"):
        TorchDataset(Dataset(other, dataset.samples))


def test_a_picture_of_another_size_than_annotated(tmp_path: Path) -> None:
    dataset = _one(tmp_path, classifications=[Classification(class_name="cat")])
    write_picture(tmp_path / "a.png", size=(5, 5))
    with pytest.raises(SightlineError, match=r"a\.png: is 5 x 5 pixels, but the annotations say 12 x 16"):
        TorchDataset(dataset, task=Classification)[0]
