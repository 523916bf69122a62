import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset
from torchvision import tv_tensors
from torchvision.transforms import v2

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
from sightline.data.loading import IGNORE_INDEX, ShiftFlip, TorchDataset, collate
from sightline.errors import SightlineError
from tests.data.factory import CLASSES, HEIGHT, INFO, WIDTH, classification_dataset, write_picture
from tests.needs import shared_data

FLIP = v2.RandomHorizontalFlip(1.0)


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


def test_several_labels(tmp_path: Path) -> None:
    labels = [Classification(class_name="Ärger"), Classification(class_name="a,b\n{}")]
    _, target = TorchDataset(_one(tmp_path, classifications=labels), task=Classification, multi_label=True)[0]
    assert target["label"].dtype == torch.float32
    assert target["label"].tolist() == [0, 1, 0, 1]
    _, target = TorchDataset(_one(tmp_path, classifications=[]), task=Classification, multi_label=True)[0]
    assert target["label"].tolist() == [0] * len(CLASSES)
    with pytest.raises(SightlineError, match=r"a\.png: was not annotated for task 'image_classification'"):
        TorchDataset(_one(tmp_path), task=Classification, multi_label=True)


def test_boxes_and_a_flip(tmp_path: Path) -> None:
    boxes = [_box(0, 0.5), _box(0.9, 0.0, "Ärger"), _box(0, 0, confidence=0.3, ground_truth=False)]
    dataset = _one(tmp_path, bboxes=boxes)
    _, target = TorchDataset(dataset, task=Bbox)[0]
    assert target["boxes"].tolist() == pytest.approx(np.array([[0, 6, 4, 12], [14.4, 0, 16, 6]]), abs=1e-5)
    assert target["labels"].tolist() == [0, 1]
    _, flipped = TorchDataset(dataset, FLIP, "object_detection")[0]
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


def test_several_tasks_and_metadata(tmp_path: Path) -> None:
    dataset = _one(tmp_path, classifications=[Classification(class_name="Ärger")], bboxes=[_box(0, 0)])
    items = TorchDataset(dataset, FLIP, ["image_classification", "object_detection"], metadata=True)
    _, target = items[0]
    assert int(target["image_classification"]["label"]) == 1
    assert target["object_detection"]["boxes"].tolist() == [[12, 0, 16, 6]]
    assert (target["sample_index"], target["file_path"]) == (0, str(tmp_path / "a.png"))
    _, batch = collate([items[0], items[0]])
    assert batch["image_classification"]["label"].tolist() == [1, 1]
    assert batch["sample_index"].tolist() == [0, 0]
    assert batch["file_path"] == [str(tmp_path / "a.png")] * 2
    assert [tuple(boxes.shape) for boxes in batch["object_detection"]["boxes"]] == [(1, 4)] * 2


def test_real_boxes_in_batches_from_a_pack(tmp_path: Path) -> None:
    dataset = Dataset.from_path(shared_data("hafnia-format") / "micro-coco-2017")
    task = next(task.name for task in dataset.info.tasks if task.primitive is Bbox)
    plain = TorchDataset(dataset, v2.Resize((64, 48)), task)
    packed = TorchDataset(dataset, v2.Resize((64, 48)), task, storage=dataset.pack(tmp_path / "pack"))
    _, batch = collate(plain.__getitems__(range(3)))
    _, other = collate(packed.__getitems__(range(3)))
    for index in range(3):
        expected = [box for box in dataset[index].bboxes or [] if box.task_name == task]
        boxes, labels = batch["boxes"][index], batch["labels"][index].tolist()
        assert labels == [box.class_idx for box in expected]
        assert boxes[:, 0].tolist() == pytest.approx([box.top_left_x * 48 for box in expected], abs=1e-2)
        assert torch.equal(boxes, other["boxes"][index])


def test_augmentation_depends_on_seed_epoch_and_index_alone(tmp_path: Path) -> None:
    dataset = classification_dataset(tmp_path, {("train", "dog"): 6})
    transform = v2.Compose([v2.RandomCrop(8), v2.RandomHorizontalFlip()])
    items = TorchDataset(dataset, transform, seed=3)
    torch.manual_seed(1)
    forwards = [items[index][0] for index in range(6)]
    torch.manual_seed(2)
    together = [image for image, _ in items.__getitems__([5, 4, 3, 2, 1, 0])]
    assert all(torch.equal(one, other) for one, other in zip(forwards, together[::-1], strict=True))
    items.set_epoch(1)
    assert not all(torch.equal(items[index][0], forwards[index]) for index in range(6))
    items.set_epoch(0)
    assert torch.equal(items[4][0], forwards[4])
    other_seed = TorchDataset(dataset, transform, seed=4)
    assert not all(torch.equal(other_seed[index][0], forwards[index]) for index in range(6))


def test_an_image_alone_is_changed_as_with_its_label(tmp_path: Path) -> None:
    """What torchvision's transforms do to a classification does not depend on the short way to it."""
    dataset = classification_dataset(tmp_path, {("train", "dog"): 3})
    transform = v2.Compose([v2.RandomApply([v2.ColorJitter(0.5)], 0.5), v2.RandomResizedCrop(9)])
    short = TorchDataset(dataset, transform)
    long = TorchDataset(dataset, lambda image, target: transform(image, target))
    for index in range(3):
        assert torch.equal(short[index][0], long[index][0].as_subclass(torch.Tensor))
        assert int(short[index][1]["label"]) == 0


def test_transforms_of_ones_own_get_the_label(tmp_path: Path) -> None:
    dataset = classification_dataset(tmp_path, {("train", "dog"): 1})

    def renumbered(image: Any, target: Any) -> Any:
        return image, {"label": target["label"] + 7}

    for transform in (renumbered, v2.Compose([FLIP, renumbered])):
        assert int(TorchDataset(dataset, transform)[0][1]["label"]) == 7


def test_subsets_and_the_default_collate_work_too(tmp_path: Path) -> None:
    dataset = classification_dataset(tmp_path, {("train", "dog"): 2, ("train", "cat"): 2})
    items = TorchDataset(dataset)
    images, target = next(iter(DataLoader(Subset(items, [3, 0]), batch_size=2)))
    assert target["label"].tolist() == [0, 1]
    assert torch.equal(images[0], items[3][0].as_subclass(torch.Tensor))


def test_workers_that_are_started_afresh_get_it_pickled(tmp_path: Path) -> None:
    for storage in ("files", "ram"):
        dataset = TorchDataset(_one(tmp_path, bboxes=[_box(0, 0)]), FLIP, Bbox, storage=storage)
        dataset.set_epoch(5)
        copy = pickle.loads(pickle.dumps(dataset))
        assert copy.epoch == 5
        image, target = copy[0]
        assert torch.equal(image, dataset[0][0])
        assert target["boxes"].tolist() == [[12, 0, 16, 6]]


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
    none = Dataset(DatasetInfo(dataset_name="x"), dataset.samples)
    with pytest.raises(
        SightlineError, match="dataset 'x' has no tasks, so there is nothing to learn from it; a"
    ):
        TorchDataset(none)
    with pytest.raises(SightlineError, match="no task of dataset 'made-up' is asked for; name at least one"):
        TorchDataset(dataset, task=[])
    with pytest.raises(SightlineError, match="ShiftFlip would move the pixels but not the annotations"):
        TorchDataset(dataset, ShiftFlip(1), Bbox)
    with pytest.raises(SightlineError, match="storage 'rma' is neither 'files' nor 'ram' nor the folder"):
        TorchDataset(dataset, task=Bbox, storage="rma")
    with pytest.raises(IndexError, match="items 1 to 1 of a dataset of 1"):
        TorchDataset(dataset, task=Bbox)[1]


def test_a_picture_of_another_size_than_annotated(tmp_path: Path) -> None:
    dataset = _one(tmp_path, classifications=[Classification(class_name="cat")])
    write_picture(tmp_path / "a.png", size=(5, 5))
    with pytest.raises(SightlineError, match=r"a\.png: is 5 x 5 pixels, but the annotations say 12 x 16"):
        TorchDataset(dataset, task=Classification)[0]
