from pathlib import Path

import pytest
import torch
from tests.engine.tiny import Tiny, tiny_spec
from torchmetrics.classification import MulticlassAccuracy

from sightline.config import component, load_text, to_yaml
from sightline.engine import Experiment, Spec
from sightline.engine.callbacks import EarlyStopping
from sightline.errors import SightlineError


class Unjudged(Tiny):
    """Has training data only."""

    def build_dataset(self, split: str):
        return super().build_dataset(split) if split == "train" else None


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {"trainer": {"monitor": "validation/x"}},
            "trainer.monitor: has no effect, as there is no validation",
        ),
        ({"trainer": {"mode": "max"}}, "trainer.mode: has no effect"),
        ({"trainer": {"validate_every": "2ba"}}, "trainer.validate_every: has no effect"),
        ({"trainer": {"test_at_end": True}}, "test_at_end: has no effect, as there is no test dataset"),
        ({"loader": {"eval_batch_size": 3}}, "loader.eval_batch_size: has no effect"),
        ({"metrics": {"accuracy": component(MulticlassAccuracy, num_classes=3)}}, "metrics: has no effect"),
        (
            {"model": component(torch.nn.Flatten)},
            "model: has no effect, as Unjudged builds its own model",
        ),
        ({"callbacks": [component(EarlyStopping, patience="1ep")]}, "EarlyStopping: has no effect without"),
    ],
)
def test_what_would_do_nothing_is_refused(tmp_path: Path, parts: dict, said: str) -> None:
    with pytest.raises(SightlineError, match=said):
        Experiment(tiny_spec(task=component(Unjudged), **parts), tmp_path).train()


def test_its_line_is_named(tmp_path: Path) -> None:
    text = to_yaml(tiny_spec({"mode": "max"}, task=component(Unjudged)))
    line = 1 + text.splitlines().index("  mode: max")
    with pytest.raises(SightlineError, match=rf"^spec\.yaml:{line}: trainer\.mode: has no effect"):
        Experiment(load_text(Spec, text, name="spec.yaml"), tmp_path).train()


def test_nothing_else_is_refused(tmp_path: Path) -> None:
    Experiment(tiny_spec({"validate_every": None}, task=component(Unjudged)), tmp_path).train()


def test_a_monitor_that_is_no_metric(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"no metric 'validation/iou'.*are validation/loss"):
        Experiment(tiny_spec({"monitor": "validation/iou"}), tmp_path).train()
