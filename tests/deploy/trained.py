"""Small runs of the three tasks, each trained for some seconds, and what they are made of."""

from dataclasses import dataclass
from pathlib import Path

import torch

from sightline.config import component
from sightline.engine import Experiment, Spec
from sightline.engine.spec import LoaderConfig, TrainerConfig
from sightline.tasks import Classification, Detection, Segmentation
from tests.tasks.scenes import coloured, rectangles


@dataclass(frozen=True)
class Run:
    """A trained run."""

    folder: Path
    data: Path

    def experiment(self) -> Experiment:
        """It, with its weights."""
        return Experiment.load(self.folder)


def train(kind: str, folder: Path) -> Run:
    """A run of a kind of task."""
    task, monitor, epochs, rate = {
        "classification": (Classification, "validation/accuracy", 3, 0.01),
        "detection": (Detection, "validation/map", 8, 0.003),
        "segmentation": (Segmentation, "validation/iou", 3, 0.003),
    }[kind]
    data = coloured(folder / "data") if kind == "classification" else rectangles(folder / "data")
    # Small ones, as it is their layers that exporting takes its time for.
    options = {
        "classification": {"model": {"name": "small_resnet", "options": {"width": 4}}},
        "detection": {"model": {"name": "light", "options": {"depth": 1, "width": 32}}},
        "segmentation": {
            "model": {"name": "small_unet", "options": {"width": 8, "depth": 1}},
            "binary": True,
        },
    }[kind]
    spec = Spec(
        name=kind,
        task=component(task, data={"dataset": str(data)}, **options),
        optimizer=component(torch.optim.AdamW, lr=rate),
        loader=LoaderConfig(batch_size=4),
        trainer=TrainerConfig(
            max_duration=f"{epochs}ep", validate_every=f"{epochs}ep", monitor=monitor, mode="max"
        ),
    )
    Experiment(spec, folder / "run").train()
    return Run(folder / "run", data)
