"""Runs side by side: the settings in which they differ, and what came of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sightline.runs.curves import read_curves
from sightline.runs.json_file import read_json
from sightline.runs.listing import Run
from sightline.runs.locations import CONFIGURATION_FILE
from sightline.runs.summaries import Choice, MetricSummary, in_order, summarise

_ABSENT = object()


@dataclass(frozen=True)
class Comparison:
    """What `compare` found. Lists hold one value for each run, in the order of ``runs``.

    ``surroundings`` are commit, branch, command and versions, ``settings`` those of the configuration by
    path (``optimizer.lr``); both only where the runs differ. None is a setting that a run does not have.
    """

    runs: list[Run]
    surroundings: dict[str, list[Any]]
    settings: dict[str, list[Any]]
    metrics: dict[str, list[MetricSummary | None]]

    def best_run(self, metric: str) -> int | None:
        """The place of the run whose best is best; None where that cannot be said, or several are."""
        found = self.metrics[metric]
        values = [each.best if each else None for each in found]
        known = [value for value in values if value is not None]
        goal = next((each.goal for each in found if each), None)
        if goal is None or len(known) < 2:
            return None
        best = min(known) if goal == "min" else max(known)
        return values.index(best) if values.count(best) == 1 else None


def compare(runs: Sequence[Run], choices: Sequence[Choice] = ()) -> Comparison:
    """Set ``runs`` side by side; ``choices`` leaves only the metrics that they fit.

    Raises:
        SightlineError: a run's configuration or metrics cannot be read.
    """
    summaries = [summarise(read_curves(run.folder, resumed=run.resumed), choices) for run in runs]
    kinds = {name: each.kind for found in summaries for name, each in found.items()}
    return Comparison(
        runs=list(runs),
        surroundings=_differing([_surroundings(run) for run in runs]),
        settings=_differing([flat_settings(run) for run in runs]),
        metrics={name: [found.get(name) for found in summaries] for name in in_order(kinds, choices)},
    )


def flat_settings(run: Run) -> dict[str, Any]:
    """The configuration of ``run`` by path, lists of settings by index: ``{"callbacks.0.patience": 3}``.

    Raises:
        SightlineError: the configuration cannot be read.
    """
    try:
        configuration = read_json(run.folder / CONFIGURATION_FILE)
    except FileNotFoundError:
        return {}
    flat: dict[str, Any] = {}
    _flatten(configuration, "", flat)
    return flat


def _flatten(value: Any, path: str, flat: dict[str, Any]) -> None:
    items: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        items = [(str(index), item) for index, item in enumerate(value)]
    for key, item in items:
        _flatten(item, f"{path}.{key}" if path else key, flat)
    if not items and path:
        flat[path] = value


def _surroundings(run: Run) -> dict[str, Any]:
    if run.record is None:
        return {}
    record = run.record
    git = record.git or {}
    return {
        "commit": git.get("commit") and str(git["commit"])[:12],
        "branch": git.get("branch"),
        "uncommitted changes": git.get("dirty"),
        "command": " ".join(record.command),
        "host": record.host,
        **{f"version of {name}": version for name, version in record.versions.items()},
    }


def _differing(found: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The entries whose values are not the same everywhere, in the order first met."""
    names = dict.fromkeys(name for each in found for name in each)
    rows = {name: [each.get(name, _ABSENT) for each in found] for name in names}
    # As JSON, so that 1, 1.0 and true are told apart.
    texts = {
        name: {"" if v is _ABSENT else json.dumps(v, sort_keys=True) for v in row}
        for name, row in rows.items()
    }
    return {
        name: [None if v is _ABSENT else v for v in row] for name, row in rows.items() if len(texts[name]) > 1
    }
