"""What came of several trainings, side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.cli.follow import metric_value
from sightline.cli.runs_views import Row, run_json, with_metrics
from sightline.config import difference
from sightline.engine import Spec
from sightline.runs.listing import find_runs
from sightline.runs.summaries import Choice

if TYPE_CHECKING:
    from sightline.runs.summaries import MetricSummary

_MOST_SETTINGS, _MOST_METRICS = 6, 4  # columns of a table


@dataclass
class Outcome:
    """A training that was begun, and why it did not end well, where it did not."""

    spec: Spec
    folder: Path | None
    error: str | None = None

    @cached_property
    def row(self) -> Row | None:
        """Its run, with the best of each metric by the spec's own word; None where it left none."""
        if self.folder is None or not self.folder.is_dir():
            return None
        trainer = self.spec.trainer
        choices = [Choice(trainer.monitor, trainer.mode), Choice("*", None)]
        return next(iter(with_metrics(find_runs(self.folder), choices)), None)

    @property
    def metrics(self) -> "dict[str, MetricSummary]":
        """Its metrics by name."""
        return self.row.metrics if self.row else {}

    def monitored(self) -> float | None:
        """The best value of ``trainer.monitor``."""
        summary = self.metrics.get(self.spec.trainer.monitor)
        return summary.best if summary else None


def outcomes_table(outcomes: Sequence[Outcome]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: the settings that differ, what became of it, and the best of each metric (the best
    of all with a star)."""
    settings = _differing([outcome.spec for outcome in outcomes])
    left_out = len(settings) - _MOST_SETTINGS
    shown = dict(list(settings.items())[:_MOST_SETTINGS])
    names = _metric_names(outcomes)
    columns = ["run", *shown, *([f"{left_out} more"] if left_out > 0 else []), "status"]
    columns += [f"best {name}" for name in names]
    bests = {name: _best([outcome.metrics.get(name) for outcome in outcomes]) for name in names}
    failed = any(outcome.error for outcome in outcomes)
    rows = []
    for number, outcome in enumerate(outcomes):
        row = [outcome.folder.name if outcome.folder else ""]
        row += [str(values[number]) for values in shown.values()]
        row += ["..."] if left_out > 0 else []
        row.append(outcome.row.run.status if outcome.row else "failed")
        row += [_cell(outcome.metrics.get(name), bests[name] == number) for name in names]
        row += [outcome.error or ""] if failed else []
        rows.append(row)
    return columns + (["error"] if failed else []), rows


def outcomes_json(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The runs as `runs ls --json` gives them, with the settings in which they differ."""
    settings = _differing([outcome.spec for outcome in outcomes])
    return [
        {
            **(run_json(outcome.row) if outcome.row else {"name": None, "status": "failed", "metrics": {}}),
            "settings": {key: values[number] for key, values in settings.items()},
            "error": outcome.error,
        }
        for number, outcome in enumerate(outcomes)
    ]


def _differing(specs: Sequence[Spec]) -> dict[str, list[Any]]:
    """The values by path, of each spec, where they are not all the same."""
    changes = [{change.path: change for change in difference(specs[0], spec)} for spec in specs]
    found: dict[str, list[Any]] = {}
    for path, first in {path: change for each in changes for path, change in each.items()}.items():
        short = path.replace(".init_args.", ".")
        found[short] = [each[path].new if path in each else first.old for each in changes]
    return found


def _metric_names(outcomes: Sequence[Outcome]) -> list[str]:
    """The monitored one first, then what runs are judged by; where there is none, the loss."""
    monitors = [outcome.spec.trainer.monitor for outcome in outcomes]
    found = {name: each for outcome in outcomes for name, each in outcome.metrics.items()}
    judged = [name for name, each in found.items() if each.kind == "metric" and each.best is not None]
    names = [*(name for name in monitors if name in found), *judged] or [
        n for n in found if n == "train/loss"
    ]
    return list(dict.fromkeys(names))[:_MOST_METRICS]


def _best(summaries: "Sequence[MetricSummary | None]") -> int | None:
    """The place of the best; None where it is not alone."""
    known = [each.best for each in summaries if each is not None and each.best is not None]
    goals = {each.goal for each in summaries if each is not None}
    if len(known) < 2 or len(goals) > 1 or not all(map(math.isfinite, known)):
        return None
    best = min(known) if goals == {"min"} else max(known)
    if known.count(best) > 1:
        return None
    return next(number for number, each in enumerate(summaries) if each is not None and each.best == best)


def _cell(summary: "MetricSummary | None", is_best: bool) -> str:
    if summary is None or summary.best is None:
        return "-"
    return metric_value(summary.best) + ("*" if is_best else "")
