"""The last and the best of each metric of a run."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import polars as pl

Goal = Literal["min", "max"]

_LOWER_IS_BETTER = re.compile(
    r"loss|err(or)?s?|mae|mse|rmse|mape|nll|bce|ppl|perplexity|wer|cer|fid|kid|lpips|ece|brier|epe"
    r"|entropy|nme|eer|distance|latency"
)
_BETWEEN_WORDS = re.compile(r"[^a-z]+")


@dataclass(frozen=True)
class MetricSummary:
    """One metric of one run. ``best`` is the best finite value, None where what is better is not known."""

    name: str
    kind: str
    points: int
    last: float
    last_step: int
    goal: Goal | None
    best: float | None
    best_step: int | None


class Choice(NamedTuple):
    """A metric that somebody asked for: a name or pattern (``val/*``), and which values are better."""

    pattern: str
    goal: Goal | None

    @classmethod
    def of(cls, text: str) -> "Choice":
        """``val/loss``, ``val/*``, or with what is better ``val/distance:min``."""
        name, _, goal = text.rpartition(":")
        if name and goal == "min":
            return cls(name, "min")
        if name and goal == "max":
            return cls(name, "max")
        return cls(text, None)

    def fits(self, name: str) -> bool:
        """Whether this asks for the metric ``name``."""
        return name == self.pattern or fnmatchcase(name, self.pattern)


def goal_of(name: str, kind: str) -> Goal | None:
    """Which values of a metric are better, by its name: of ``val/loss`` the lowest.

    Where the name does not tell, a metric's highest is best, and a scalar (a learning rate, say) has no best.
    """
    words = _BETWEEN_WORDS.split(name.lower())
    if any(_LOWER_IS_BETTER.fullmatch(word) for word in words):
        return "min"
    return "max" if kind == "metric" else None


def summarise(points: "pl.DataFrame", choices: Sequence[Choice] = ()) -> dict[str, MetricSummary]:
    """The metrics in ``points`` (as `read_curves` gives them) by name, in `in_order`.

    ``choices`` leaves only the metrics that they fit.
    """
    import polars as pl

    value, step = pl.col("value"), pl.col("step")
    is_finite = value.is_finite()
    finite, finite_step = value.filter(is_finite), step.filter(is_finite)
    rows = points.group_by("name").agg(
        pl.col("kind").last(),
        pl.len().alias("points"),
        value.last().alias("last"),
        step.last().alias("last_step"),
        finite.min().alias("min"),
        finite_step.get(finite.arg_min(), null_on_oob=True).alias("min_step"),
        finite.max().alias("max"),
        finite_step.get(finite.arg_max(), null_on_oob=True).alias("max_step"),
    )
    found: dict[str, MetricSummary] = {}
    for row in rows.iter_rows(named=True):
        name, kind = row["name"], row["kind"]
        chosen: Goal | None = next((choice.goal for choice in choices if choice.fits(name)), None)
        goal = chosen or goal_of(name, kind)
        best, best_step = (row[goal], row[f"{goal}_step"]) if goal else (None, None)
        found[name] = MetricSummary(
            name, kind, row["points"], row["last"], row["last_step"], goal, best, best_step
        )
    return {
        name: found[name] for name in in_order({name: each.kind for name, each in found.items()}, choices)
    }


def in_order(kinds: Mapping[str, str], choices: Sequence[Choice] = ()) -> list[str]:
    """Names of metrics, given with their kinds: those that runs are judged by, losses, the others.

    With ``choices`` only those that they fit, in the order chosen.
    """

    def rank(name: str) -> tuple[bool, bool, str]:
        return kinds[name] != "metric", goal_of(name, kinds[name]) is None, name

    names = sorted(kinds, key=rank)
    if not choices:
        return names
    return list(dict.fromkeys(name for choice in choices for name in names if choice.fits(name)))
