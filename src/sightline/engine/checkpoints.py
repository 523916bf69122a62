"""Checkpoints: folders that are complete under their name, or not there."""

import io
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from sightline.errors import SightlineError
from sightline.models.pretrained import read_weights_file

WEIGHTS_FILE = "weights.safetensors"
AVERAGE_FILE = "average.safetensors"
STATE_FILE = "training_state.pt"
SPEC_FILE = "spec.yaml"
FACTS_FILE = "checkpoint.json"
MODEL_FACTS_FILE = "model.json"  # the same facts, in the folder for the model to keep
_PREFIX = "step-"


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint: its folder, the update it follows, and the metrics of just its weights."""

    folder: Path
    step: int
    epoch: int
    metrics: dict[str, float]

    @classmethod
    def read(cls, folder: Path, facts_file: str = FACTS_FILE) -> "Checkpoint":
        """The checkpoint in ``folder``, as its ``facts_file`` says.

        Raises:
            SightlineError: it is none.
        """
        try:
            facts = json.loads((folder / facts_file).read_text(encoding="utf-8"))
            return cls(folder, facts["step"], facts["epoch"], facts["metrics"])
        except FileNotFoundError as error:
            raise SightlineError(f"{folder}: is not a checkpoint (it has no {facts_file}).") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SightlineError(f"{folder / facts_file}: cannot be read ({error}).") from error

    def weights(self, *, averaged: bool = True) -> dict[str, Tensor]:
        """The weights by name, on the CPU; the averaged ones where there are any and they are wanted."""
        average = self.folder / AVERAGE_FILE
        return read_weights_file(average if averaged and average.exists() else self.folder / WEIGHTS_FILE)

    def average(self) -> dict[str, Tensor] | None:
        """The averaged weights, or None."""
        return (
            read_weights_file(self.folder / AVERAGE_FILE) if (self.folder / AVERAGE_FILE).exists() else None
        )

    def state(self) -> dict[str, Any]:
        """What else a resumed training needs. Reading it runs no code (``weights_only``)."""
        path = self.folder / STATE_FILE
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # of many kinds, by what is damaged
            raise SightlineError(f"{path}: cannot be read ({' '.join(str(error).split())[:200]}).") from error

    def write_model(self, folder: Path) -> None:
        """Write what is wanted of it as a model: its weights as `weights` gives them, its spec, its facts."""
        write_weights(folder / WEIGHTS_FILE, self.weights())
        shutil.copyfile(self.folder / SPEC_FILE, folder / SPEC_FILE)
        _write_facts(folder / MODEL_FACTS_FILE, self.step, self.epoch, self.metrics)


class CheckpointFolder:
    """The checkpoints of a run. One that is new is complete before an old one is removed."""

    def __init__(self, folder: Path, *, keep_last: int, keep_best: int, monitor: str, mode: str) -> None:
        self.folder = folder
        self._keep_last, self._keep_best = keep_last, keep_best
        self._monitor, self._sign = monitor, 1 if mode == "max" else -1

    def all(self) -> list[Checkpoint]:
        """The complete ones, oldest first."""
        return checkpoints_in(self.folder)

    def latest(self) -> Checkpoint | None:
        """The newest, if there is one."""
        found = self.all()
        return found[-1] if found else None

    def best(self) -> Checkpoint | None:
        """The one whose metric, measured with just its weights, is best; the earlier of equals."""
        judged = [one for one in self.all() if self._value(one.metrics) is not None]
        return max(judged, key=lambda one: (self._value(one.metrics), -one.step), default=None)

    def is_best(self, metrics: dict[str, float]) -> bool:
        """Whether weights with ``metrics`` are better than all that are kept."""
        return self._better(metrics) == 0

    def is_among_best(self, metrics: dict[str, float]) -> bool:
        """Whether weights with ``metrics`` are among the ``keep_best`` best so far."""
        better = self._better(metrics)
        return better is not None and better < self._keep_best

    def save(
        self,
        *,
        step: int,
        epoch: int,
        metrics: dict[str, float],
        weights: dict[str, Tensor],
        average: dict[str, Tensor] | None,
        state: dict[str, Any],
        spec: str,
    ) -> Checkpoint:
        """Write a checkpoint whole, then remove those that are no longer kept.

        Raises:
            SightlineError: it cannot be written; those before it stay.
        """
        target = self.folder / f"{_PREFIX}{step:08d}"
        staging = self.folder / f".{target.name}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            write_weights(staging / WEIGHTS_FILE, weights)
            if average is not None:
                write_weights(staging / AVERAGE_FILE, average)
            buffer = io.BytesIO()  # first, as torch does not say that a disk is full
            torch.save(state, buffer)
            (staging / STATE_FILE).write_bytes(buffer.getbuffer())
            (staging / SPEC_FILE).write_text(spec, encoding="utf-8")
            _write_facts(staging / FACTS_FILE, step, epoch, metrics)
            _flush(staging)
            if target.exists():  # the same update again, with metrics it did not have
                aside = self.folder / f".{target.name}.old"
                shutil.rmtree(aside, ignore_errors=True)
                target.rename(aside)
                staging.rename(target)
                shutil.rmtree(aside, ignore_errors=True)
            else:
                staging.rename(target)
        except (OSError, RuntimeError, SafetensorError) as error:
            shutil.rmtree(staging, ignore_errors=True)
            reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
            raise SightlineError(f"{target}: the checkpoint cannot be written ({reason}).") from error
        self._remove_old()
        return Checkpoint(target, step, epoch, metrics)

    def _remove_old(self) -> None:
        found = self.all()
        judged = [one for one in found if self._value(one.metrics) is not None]
        judged.sort(key=lambda one: (self._value(one.metrics), -one.step), reverse=True)
        kept = {one.folder for one in (*found[-self._keep_last :], *judged[: self._keep_best])}
        for one in found:
            if one.folder not in kept:
                # Without its facts it is no checkpoint any more, should this be cut off half-way.
                (one.folder / FACTS_FILE).unlink(missing_ok=True)
                shutil.rmtree(one.folder, ignore_errors=True)

    def _better(self, metrics: dict[str, float]) -> int | None:
        """How many of those that are kept are as good as ``metrics`` or better; None if they do not say."""
        value = self._value(metrics)
        if value is None:
            return None
        kept = (self._value(one.metrics) for one in self.all())
        return sum(other is not None and other >= value for other in kept)

    def _value(self, metrics: dict[str, float]) -> float | None:
        value = metrics.get(self._monitor)
        return None if value is None or value != value else self._sign * value


def checkpoints_in(folder: Path) -> list[Checkpoint]:
    """The complete checkpoints below ``folder``, oldest first.

    One that was being replaced by itself when the process died is taken back.
    """
    if not folder.is_dir():
        return []
    for aside in folder.glob(f".{_PREFIX}*.old"):
        target = folder / aside.name[1:-4]
        if not target.exists() and (aside / FACTS_FILE).exists():
            aside.rename(target)
    found = []
    for one in sorted(folder.glob(f"{_PREFIX}*"), key=lambda one: int(one.name[len(_PREFIX) :])):
        try:
            found.append(Checkpoint.read(one))
        except SightlineError:
            if (one / FACTS_FILE).exists():  # else it is being removed
                raise
    return found


def write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write weights as a safetensors file, which loads anywhere; tied weights are written once each."""
    save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}, path)


def _write_facts(path: Path, step: int, epoch: int, metrics: dict[str, float]) -> None:
    facts = {"step": step, "epoch": epoch, "metrics": metrics}
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _flush(folder: Path) -> None:
    """Have the disk hold the folder's files before its name says that it does."""
    for path in (*folder.iterdir(), folder):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
