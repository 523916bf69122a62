"""Plans for datasets of each kind: what they choose, and that it trains."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline.data import Classification, Dataset, DatasetInfo, Sample, Segmentation, TaskInfo
from sightline.data.images import write_image
from sightline.engine import Experiment
from sightline.engine.dry_run import dry_run
from sightline.errors import SightlineError
from sightline.planning import Plan, plan
from sightline.planning.machine import Machine
from tests.data.factory import classification_dataset
from tests.tasks.scenes import coloured, rectangles

LAPTOP = Machine(cpus=2, memory_bytes=8 << 30)
SERVER = Machine(cpus=16, memory_bytes=64 << 30, gpu="H100", gpus=2, gpu_memory_bytes=80 << 30)


def task_of(made: Plan) -> dict[str, Any]:
    return made.values["task"]["init_args"]


def classified(
    folder: Path, size: tuple[int, int], names: list[str], counts: list[int], grey: bool = False
) -> Path:
    """Flat images of a class each, in two splits."""
    folder.mkdir()
    samples = []
    for name, count in zip(names, counts, strict=True):
        for number in range(count):
            path = folder / f"{name}-{number}.png"
            shape = size if grey else (*size, 3)
            Image.fromarray(np.full(shape, 5 * number + len(name), dtype=np.uint8)).save(path)
            samples.append(
                Sample(
                    file_path=str(path),
                    height=size[0],
                    width=size[1],
                    split="validation" if number % 4 == 3 else "train",
                    classifications=[Classification(class_name=name)],
                )
            )
    info = DatasetInfo(dataset_name="flat", tasks=[TaskInfo.from_class_names(Classification, names)])
    Dataset.from_samples(samples, info).write(folder / "dataset", progress=False)
    return folder / "dataset"


@pytest.mark.parametrize(
    ("make", "task", "class_path"),
    [
        (coloured, None, "sightline.tasks.Classification"),
        (rectangles, "object_detection", "sightline.tasks.Detection"),
        (rectangles, "semantic_segmentation", "sightline.tasks.Segmentation"),
    ],
)
def test_what_is_planned_trains(make: Any, task: str | None, class_path: str, tmp_path: Path) -> None:
    made = plan(str(make(tmp_path)), tmp_path / "spec.yaml", task=task, machine=LAPTOP)
    assert made.spec.task.class_path == class_path
    assert all(choice.reason for choice in made.choices)
    assert made.splits_file is None
    made.write(tmp_path / "spec.yaml")
    found = dry_run(Experiment.from_file(tmp_path / "spec.yaml"))
    assert np.isfinite(found.loss)
    assert made.values["trainer"]["monitor"] in found.metrics


def test_small_images_keep_their_size(tmp_path: Path) -> None:
    made = plan(str(coloured(tmp_path)), "spec.yaml", machine=LAPTOP)
    settings = task_of(made)
    assert "preprocessing" not in settings
    assert settings["model"]["name"] == "small_resnet"
    assert settings["data"]["storage"] == "ram"
    assert settings["augment"][0]["init_args"] == {"shift": 2, "flip": 0.5}
    assert made.values["loader"] == {"batch_size": 4, "workers": 0}


def test_signs_are_not_mirrored(tmp_path: Path) -> None:
    digits = classified(tmp_path / "digits", (16, 16), ["1", "2"], [4, 4])
    assert task_of(plan(str(digits), "spec.yaml", machine=LAPTOP))["augment"][0]["init_args"]["flip"] == 0.0
    turns = classified(tmp_path / "turns", (16, 16), ["turn_left", "turn_right"], [4, 4])
    assert task_of(plan(str(turns), "spec.yaml", machine=LAPTOP))["augment"][0]["init_args"]["flip"] == 0.0


def test_grey_dots_need_no_convolution(tmp_path: Path) -> None:
    settings = task_of(
        plan(str(classified(tmp_path / "x", (8, 8), ["1", "2"], [4, 4], grey=True)), "s.yaml", machine=LAPTOP)
    )
    assert settings["model"]["name"] == "small_mlp"
    assert settings["preprocessing"]["bands"] == [1]
    assert len(settings["preprocessing"]["mean"]) == 1


def test_rare_classes_count_more(tmp_path: Path) -> None:
    made = plan(
        str(classified(tmp_path / "x", (16, 16), ["common", "rare"], [20, 2])), "spec.yaml", machine=LAPTOP
    )
    assert task_of(made)["class_weights"] == "balanced"
    assert made.values["trainer"]["monitor"] == "validation/f1"


def test_large_images_are_made_smaller(tmp_path: Path) -> None:
    path = str(classified(tmp_path / "x", (300, 200), ["cat", "dog"], [4, 4]))
    settings = task_of(plan(path, "spec.yaml", machine=LAPTOP))
    assert settings["preprocessing"]["size"] == [224, 224]
    assert settings["preprocessing"]["fit"] == "crop"
    gpu = plan(path, "spec.yaml", machine=SERVER)
    assert task_of(gpu)["model"] == {"name": "resnet50", "pretrained": False}
    assert gpu.values["trainer"]["precision"] == "bf16"
    assert gpu.values["launcher"] == {"kind": "processes", "ranks": 2}
    assert gpu.values["loader"]["workers"] == 8


def test_several_classes_an_image(tmp_path: Path) -> None:
    dataset = Dataset.from_path(coloured(tmp_path))
    samples = list(dataset)
    samples[0].classifications = [Classification(class_name="red"), Classification(class_name="blue")]
    Dataset.from_samples(samples, dataset.info).write(tmp_path / "several", progress=False)
    made = plan(str(tmp_path / "several"), "spec.yaml", machine=LAPTOP)
    settings = task_of(made)
    assert settings["multi_label"] is True
    assert not {"label_smoothing", "cutmix", "mixup"} & set(settings)
    assert made.values["trainer"]["monitor"] == "validation/map"


def test_detection_keeps_small_objects_large_enough(tmp_path: Path) -> None:
    made = plan(str(rectangles(tmp_path)), "spec.yaml", task="object_detection", machine=LAPTOP)
    settings = task_of(made)
    assert settings["preprocessing"] == {"size": [64, 64], "fit": "stretch"}
    assert settings["model"]["name"] == "light"
    assert "mosaic" not in settings  # there are too few images


def test_segmentation_of_large_rasters_learns_from_windows(tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    samples = []
    noise = np.random.default_rng(0)
    for number in range(3):
        path = tmp_path / f"{number}.tif"
        write_image(path, noise.integers(0, 3000, (600, 700, 4)).astype(np.uint16))
        mask = np.zeros((600, 700), dtype=bool)
        mask[:, :6] = True
        masks = [
            Segmentation.from_mask(~mask, class_name="land"),
            Segmentation.from_mask(mask, class_name="water"),
        ]
        samples.append(
            Sample(
                file_path=str(path),
                height=600,
                width=700,
                split="validation" if number == 2 else "train",
                bitmasks=list(masks),
            )
        )
    info = DatasetInfo(
        dataset_name="aerial", tasks=[TaskInfo.from_class_names(Segmentation, ["land", "water"])]
    )
    Dataset.from_samples(samples, info).write(tmp_path / "aerial", progress=False)
    made = plan(str(tmp_path / "aerial"), "spec.yaml", machine=LAPTOP)
    settings = task_of(made)
    assert settings["augment"][0] == {
        "class_path": "sightline.transforms.RandomWindow",
        "init_args": {"size": [256, 256]},
    }
    assert settings["augment"][1]["class_path"] == "sightline.transforms.D4"
    assert settings["preprocessing"]["bands"] == [1, 2, 3, 4]
    assert settings["preprocessing"]["scale"] == 65535
    assert settings["binary"] is True
    assert settings["loss"]["init_args"]["losses"][0]["class_path"] == "sightline.losses.Focal"
    Experiment(made.spec).check()


def test_the_time_decides(tmp_path: Path) -> None:
    path = str(classified(tmp_path / "x", (300, 300), ["cat", "dog"], [40, 40]))
    whole = plan(path, "spec.yaml", machine=LAPTOP)
    assert whole.values["trainer"]["max_duration"].endswith("ep")
    short = plan(path, "spec.yaml", machine=LAPTOP, time="15s")
    seconds = int(short.values["trainer"]["max_duration"].removesuffix("s"))
    assert 7 <= seconds < 15
    assert task_of(short)["preprocessing"]["size"][0] < 224
    assert short.values["trainer"]["validate_every"].endswith("ep")
    for time in ("3ep", "0s", "soon"):
        with pytest.raises(SightlineError, match=f"--time {time}: give a time above 0"):
            plan(path, "spec.yaml", machine=LAPTOP, time=time)


def test_splits_that_are_missing_are_written_beside_the_spec(tmp_path: Path) -> None:
    made_up = classification_dataset(tmp_path / "images", {("UNDEFINED", "cat"): 6, ("UNDEFINED", "dog"): 6})
    made_up.write(tmp_path / "pets", progress=False)
    made = plan(str(tmp_path / "pets"), tmp_path / "pets.yaml", machine=LAPTOP)
    made.write(tmp_path / "pets.yaml")
    assert task_of(made)["data"]["splits"] == str(tmp_path / "pets-splits.json")
    task = Experiment.from_file(tmp_path / "pets.yaml").task
    assert {split: len(task.samples(split)) for split in ("train", "validation", "test")} == {
        "train": 7,
        "validation": 3,
        "test": 2,
    }


def test_what_cannot_be_planned_is_told(tmp_path: Path) -> None:
    scenes = str(rectangles(tmp_path))
    with pytest.raises(SightlineError, match=r"2 tasks that can be learned: 'object_detection' .* --task"):
        plan(scenes, "spec.yaml", machine=LAPTOP)
    (tmp_path / "photos").mkdir()
    with pytest.raises(SightlineError, match="is no dataset folder; make one of it with `sightline dataset"):
        plan(str(tmp_path / "photos"), "spec.yaml", machine=LAPTOP)
