"""The learning rate range test and the dry run leave a training as it was."""

from pathlib import Path

import pytest
import torch
from tests.engine.tiny import Tiny, tiny_spec
from tests.tasks.scenes import coloured

from sightline.config import component
from sightline.engine import Experiment, Spec
from sightline.engine.dry_run import dry_run, shapes
from sightline.engine.lr_finder import find_lr
from sightline.errors import SightlineError
from sightline.tasks import Classification


def test_the_range_test_finds_a_rate_that_trains_and_restores_the_weights() -> None:
    def spec(lr: float) -> Spec:
        smooth = component(Tiny, dropout=0.0)
        return tiny_spec(None, {"batch_size": 40}, task=smooth, optimizer=component(torch.optim.SGD, lr=lr))

    experiment = Experiment(spec(1e-2))
    before = {name: value.clone() for name, value in experiment.model.state_dict().items()}
    state = torch.get_rng_state()
    found = find_lr(experiment, updates=60, lowest=1e-5, highest=1e3)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in experiment.model.state_dict().items())
    assert found.diverged
    assert found.suggestion is not None
    assert found.suggestion < found.rates[found.losses.index(min(found.losses))] * 1.001
    assert found.rates == sorted(found.rates)
    trainer = Experiment(spec(found.suggestion)).trainer()
    losses = [float(trainer.updates.run([batch])[0]) for _ in range(10) for batch in trainer.loader]
    assert losses[-1] < 0.8 * losses[0]
    with pytest.raises(SightlineError, match="at least 10 updates"):
        find_lr(experiment, updates=5)


def test_a_dry_run_holds_the_settings_against_the_data_as_a_training_does(tmp_path: Path) -> None:
    data = {"dataset": str(coloured(tmp_path))}
    model = {"name": "small_mlp"}
    task = component(Classification, data=data, model=model, classes=["red", "green", "purple"])
    spec = Spec(name="coloured", task=task, optimizer=component(torch.optim.SGD, lr=0.1))
    with pytest.raises(
        SightlineError, match=r"^classes: task '.*' of the dataset has \['red', 'green', 'blue'\]"
    ):
        dry_run(Experiment(spec))


def test_a_dry_run_counts_and_changes_no_weight() -> None:
    experiment = Experiment(
        tiny_spec(
            {"max_duration": "3ep", "accumulate": 2, "freeze": ["0.*"], "validate_every": None},
            launcher={"kind": "processes", "ranks": 2},
        )
    )
    before = experiment.model[4].weight.clone()
    found = dry_run(experiment)
    assert torch.equal(before, experiment.model[4].weight)
    assert (found.ranks, found.batches_per_epoch, found.updates_per_epoch, found.updates) == (2, 2, 1, 3)
    assert (found.trained_parameters, found.frozen_parameters) == (43, 40)
    assert found.items == {"train": 40, "test": 17}
    assert list(found.metrics) == ["train/loss"]
    assert dry_run(Experiment(tiny_spec({"max_duration": "30m"}))).updates is None


def test_a_dry_run_finds_what_would_fail() -> None:
    with pytest.raises(SightlineError, match=r"loggers\.0.*no argument 'nothing'"):
        dry_run(
            Experiment(
                tiny_spec(
                    loggers=[{"class_path": "sightline.runs.sinks.Console", "init_args": {"nothing": 1}}]
                )
            )
        )
    with pytest.raises(SightlineError, match="do not fill one batch"):
        dry_run(Experiment(tiny_spec(task=component(Tiny, items=0))))


def test_shapes() -> None:
    value = {"boxes": [torch.zeros(2, 4)] * 6, "name": "x"}
    assert shapes(value) == "{boxes: [" + "float32[2, 4], " * 4 + "... 6 in all], name: str}"
