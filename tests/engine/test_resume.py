"""A training that is interrupted, in whatever way, ends as the uninterrupted one does."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch
from tests.engine.tiny import Tiny, tiny_spec
from tests.engine.two_ranks import CONTEXT

from sightline.config import component, load, to_yaml
from sightline.engine import Callback, Experiment, Spec
from sightline.engine.callbacks import EarlyStopping
from sightline.engine.checkpoints import STATE_FILE, checkpoints_in
from sightline.engine.events import StepEnd, ValidationStart
from sightline.engine.launch import spec_to_resume
from sightline.engine.schedules import Cosine
from sightline.engine.signals import StoppedError
from sightline.errors import SightlineError
from sightline.models.pretrained import read_weights_file
from sightline.runs import RunLogger, read_record


class StopAt(Callback):
    """Asks the training to stop after an update, as a signal does."""

    def __init__(self, step: int, validating: bool = False) -> None:
        self._step, self._validating = step, validating

    def on_step_end(self, event: StepEnd) -> None:
        if event.trainer.progress.step == self._step and not self._validating:
            os.kill(os.getpid(), signal.SIGTERM)

    def on_validation_start(self, event: ValidationStart) -> None:
        if event.trainer.progress.step == self._step and self._validating:
            os.kill(os.getpid(), signal.SIGTERM)


def outcome(run: Path) -> tuple[dict[str, torch.Tensor], list[tuple], dict]:
    """The weights, the log without what time is measured in, and the optimizer's state at the end."""
    last = checkpoints_in(run / "checkpoints")[-1]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    log = [(one["name"], one["step"], one["value"]) for one in lines if not one["name"].startswith("system/")]
    state = torch.load(last.folder / STATE_FILE, weights_only=True)
    return read_weights_file(last.folder / "weights.safetensors"), log, state["optimizer"]


def assert_same(one: Path, other: Path) -> None:
    (weights, log, state), (weights_2, log_2, state_2) = outcome(one), outcome(other)
    assert log == log_2
    assert all(torch.equal(weights[name], weights_2[name]) for name in weights)
    for number, values in state["state"].items():
        assert all(torch.equal(value, state_2["state"][number][name]) for name, value in values.items())


VARIANTS = {
    "plain": ({}, {}),
    "workers": ({}, {"workers": 2}),
    "accumulated": ({"accumulate": 2}, {}),
    "averaged": ({"ema": {"decay": 0.9}, "clip_norm": 1.0}, {}),
    "logged rarely": ({"log_every": "3ba"}, {}),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_stopped_by_a_signal_and_resumed_twice(tmp_path: Path, variant: str) -> None:
    trainer, loader = VARIANTS[variant]
    often = {"validate_every": "2ba", "checkpoint_every": "3ba"}

    def spec(*stops: int):
        callbacks = [component(StopAt, step=step) for step in stops]
        schedule = component(Cosine, warmup="2ba")
        return tiny_spec({**trainer, **often}, loader, callbacks=callbacks, scheduler=schedule)

    Experiment(spec(), tmp_path / "whole").train()
    for number, stop in enumerate((2, 5)):
        with pytest.raises(StoppedError, match="stopped by SIGTERM") as caught:
            Experiment(spec(stop), tmp_path / "cut").train(resume=number > 0)
        assert caught.value.exit_code == 75
        record = read_record(tmp_path / "cut")
        assert (record.status, record.exit_code) == ("interrupted", 75)
    Experiment(spec(), tmp_path / "cut").train(resume=True)
    assert read_record(tmp_path / "cut").starts == 3
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_stopped_within_a_validation(tmp_path: Path) -> None:
    Experiment(tiny_spec(), tmp_path / "whole").train()
    for step in (5, 10):
        with pytest.raises(StoppedError):
            Experiment(
                tiny_spec(callbacks=[component(StopAt, step=step, validating=True)]), tmp_path / "cut"
            ).train(resume=step == 10)
    Experiment(tiny_spec(), tmp_path / "cut").train(resume=True)
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_early_stopping_counts_on(tmp_path: Path) -> None:
    def spec(*stops: int):
        patient = component(EarlyStopping, patience="2ep", monitor="validation/loss", min_change=1e9)
        callbacks = [patient, *(component(StopAt, step=stop) for stop in stops)]
        return tiny_spec({"max_duration": "9ep"}, callbacks=callbacks)

    Experiment(spec(), tmp_path / "whole").train()
    assert checkpoints_in(tmp_path / "whole" / "checkpoints")[-1].step == 15
    with pytest.raises(StoppedError):
        Experiment(spec(12), tmp_path / "cut").train()
    Experiment(spec(), tmp_path / "cut").train(resume=True)
    assert_same(tmp_path / "whole", tmp_path / "cut")


def test_longer_is_the_same_as_long_from_the_start(tmp_path: Path) -> None:
    Experiment(tiny_spec({"max_duration": "3ep"}), tmp_path / "whole").train()
    Experiment(tiny_spec({"max_duration": "2ep"}), tmp_path / "longer").train()
    now = spec_to_resume(tmp_path / "longer", ["trainer.max_duration=3ep"])
    Experiment(now, tmp_path / "longer").train(resume=True)
    assert_same(tmp_path / "whole", tmp_path / "longer")


def test_a_changed_rate_is_obeyed_and_told(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    Experiment(tiny_spec({"max_duration": "1ep"}), tmp_path).train()
    now = spec_to_resume(
        tmp_path, ["trainer.max_duration=2ep", "optimizer.lr=5e-4", "optimizer.weight_decay=0"]
    )
    said = capsys.readouterr().err
    assert "optimizer.init_args.lr: 0.01 -> 0.0005" in said
    Experiment(now, tmp_path).train(resume=True)
    rates = {step: value for name, step, value in outcome(tmp_path)[1] if name == "train/lr"}
    assert rates == {1: 0.01, 6: 0.0005}
    assert outcome(tmp_path)[2]["param_groups"][0]["weight_decay"] == 0


@pytest.mark.parametrize(
    "override", ["seed=1", "task.width=9", "loader.batch_size=4", "optimizer.class_path=torch.optim.SGD"]
)
def test_what_cannot_be_changed_is_refused(tmp_path: Path, override: str) -> None:
    Experiment(tiny_spec({"max_duration": "1ep"}), tmp_path).train()
    with pytest.raises(SightlineError, match="a training that has begun cannot change"):
        spec_to_resume(tmp_path, [override])


def test_nothing_to_resume_from(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match="is not the run directory"):
        spec_to_resume(tmp_path)
    with pytest.raises(SightlineError, match="no checkpoint to resume from"):
        Experiment(tiny_spec(), tmp_path).train(resume=True)


def test_a_folder_that_holds_a_training_is_not_trained_into(tmp_path: Path) -> None:
    Experiment(tiny_spec(), tmp_path).train()
    with pytest.raises(SightlineError, match="holds a training already"):
        Experiment(tiny_spec(), tmp_path).train()


def test_one_that_was_cut_off_before_its_first_checkpoint_begins_anew(tmp_path: Path) -> None:
    spec = tiny_spec({"max_duration": "1ep"})
    (tmp_path / "spec.yaml").write_text(to_yaml(spec))
    with RunLogger("tiny", tmp_path) as logger:
        logger.log_scalar("train/loss", 9.0, 1)
    Experiment(spec, tmp_path).train()
    assert [value for name, step, value in outcome(tmp_path)[1] if (name, step) == ("train/loss", 1)] != [9.0]
    assert len([1 for name, *_ in outcome(tmp_path)[1] if name == "train/loss"]) == 5


def go_on(spec: Path, run: Path) -> None:
    Experiment(load(Spec, spec), run).train(resume=bool(checkpoints_in(run / "checkpoints")))


def test_killed_at_random_moments(tmp_path: Path) -> None:
    """SIGKILL, also while checkpoints are written; then on from whatever is there."""
    spec = tiny_spec({"max_duration": "20ep", "checkpoint_every": "1ba", "validate_every": "3ba"})
    (tmp_path / "spec.yaml").write_text(to_yaml(spec))
    Experiment(spec, tmp_path / "whole").train()
    run, draw = tmp_path / "cut", random.Random(3)
    for attempt in range(4):
        process = CONTEXT.Process(target=go_on, args=(tmp_path / "spec.yaml", run))
        process.start()
        before = len(list(run.glob("checkpoints/*"))) and checkpoints_in(run / "checkpoints")[-1].step
        while process.is_alive() and attempt < 3:
            found = checkpoints_in(run / "checkpoints") if run.exists() else []
            if found and found[-1].step > before + 3:
                time.sleep(draw.random() * 0.05)
                process.kill()
                break
            time.sleep(0.002)
        process.join()
        assert process.exitcode == (-signal.SIGKILL if attempt < 3 else 0)
    assert_same(tmp_path / "whole", run)
    assert Tiny.__module__ in (run / "spec.yaml").read_text()
