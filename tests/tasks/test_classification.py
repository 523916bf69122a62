from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sightline.config import Component, component
from sightline.engine import Experiment, Spec
from sightline.engine.spec import LoaderConfig, TrainerConfig
from sightline.errors import SightlineError
from sightline.tasks import Classification
from sightline.tasks.classification import ClassificationConfig, ClassificationOutputs
from tests.tasks.scenes import coloured


def linear(classes: int, channels: int) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, classes))


def a_task(folder: Path | None = None, **settings: object) -> Classification:
    data = {} if folder is None else {"data": {"dataset": str(folder)}}
    return Classification(ClassificationConfig(**{"model": component(linear), **data, **settings}))


def test_a_spec_of_a_few_lines_learns_and_stands_without_its_data(tmp_path: Path) -> None:
    folder = coloured(tmp_path)
    spec = Spec(
        name="coloured",
        task=component(Classification, data={"dataset": str(folder)}, model=component(linear)),
        optimizer=component(torch.optim.AdamW, lr=0.05),
        loader=LoaderConfig(batch_size=6),
        trainer=TrainerConfig(
            max_duration="10ep", monitor="validation/accuracy", mode="max", test_at_end=True
        ),
    )
    metrics = Experiment(spec, tmp_path / "run").train()
    assert metrics["test/accuracy"] == 1.0
    assert metrics["validation/recall/red"] == 1.0
    folder.rename(tmp_path / "elsewhere")
    kept = Experiment.load(tmp_path / "run" / "model")
    assert isinstance(kept.task, Classification)
    assert kept.task.classes == ["red", "green", "blue"]
    assert kept.model(torch.zeros(1, 3, 16, 16)).shape == (1, 3)


def test_the_losses_are_those_of_torch() -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 2, 1])
    batch = (None, {"label": labels})
    outputs = ClassificationOutputs(logits)
    smooth = a_task(classes=["a", "b", "c"], label_smoothing=0.1)
    assert torch.equal(
        smooth.compute_loss(outputs, batch), F.cross_entropy(logits, labels, label_smoothing=0.1)
    )
    weighted = a_task(classes=["a", "b", "c"], class_weights=[1.0, 2.0, 0.0])
    each = F.cross_entropy(logits, labels, reduction="none") * torch.tensor([1.0, 2.0, 0.0, 0.0, 2.0])
    assert torch.allclose(weighted.compute_loss(outputs, batch), each.mean())
    several = a_task(classes=["a", "b", "c"], multi_label=True)
    present = F.one_hot(labels, 3).float()
    expected = F.binary_cross_entropy_with_logits(logits, present)
    assert torch.equal(several.compute_loss(outputs, (None, {"label": present})), expected)
    assert torch.allclose(several.compute_predictions(outputs, batch), logits.sigmoid())


def test_balanced_weights_are_counted_and_kept(tmp_path: Path) -> None:
    folder = coloured(tmp_path, count=34)  # one red more than green and blue
    task = a_task(folder, class_weights="balanced")
    weights = task.settled().class_weights
    assert isinstance(weights, list)
    assert sum(weights) == pytest.approx(3)
    assert weights[0] < weights[1] == weights[2]


@pytest.mark.parametrize("mixing", [{"mixup": 1.0}, {"cutmix": 1.0}, {"mixup": 0.3, "cutmix": 1.0}])
def test_images_are_mixed_in_training_alone(mixing: dict[str, float]) -> None:
    task = a_task(classes=["a", "b", "c"], **mixing)
    model = task.build_model()
    batch = (torch.randint(0, 255, (4, 3, 8, 8), dtype=torch.uint8), {"label": torch.tensor([0, 1, 2, 0])})
    torch.manual_seed(0)
    outputs = task.forward(model.train(), batch)
    assert outputs.mixed is not None
    assert outputs.mixed.shape == (4, 3)
    assert torch.allclose(outputs.mixed.sum(1), torch.ones(4))
    task.compute_loss(outputs, batch).backward()
    assert task.forward(model.eval(), batch).mixed is None


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"multi_label": True, "mixup": 0.2}, "'mixup', 'cutmix' and 'label_smoothing' are for one class"),
        ({"mix_share": 0.5}, "'mix_share' has no effect without 'mixup' or 'cutmix'"),
        ({"classes": ["red"]}, r"has \['red', 'green', 'blue'\]; leave them out"),
        ({"class_weights": [1.0]}, "there are 1 for 3 classes"),
        ({"model": Component(class_path="torch.nn.Identity"), "x": 1}, "unknown key 'x'"),
        ({"data": {"dataset": "no-such", "task": "kind"}}, "no service is configured"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, settings: dict, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = coloured(tmp_path)
    with pytest.raises(SightlineError, match=sentence):
        a_task(folder, **settings).settled()
