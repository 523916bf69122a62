"""Which values a sweep tries: all of a grid, some at random, or those that trials before suggest."""

import itertools
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sightline.errors import SightlineError

Overrides = tuple[str, ...]
Scale = Literal["log", "uniform", "int"]

_RANGE = re.compile(r"(log|uniform|int)\(([^,]*),([^,]*)\)")
_DIGITS = 4  # of a number that is picked, so that it can be read and typed


@dataclass(frozen=True)
class Axis:
    """A key and what it may be: one of ``values`` (as YAML), or a number from ``low`` to ``high``."""

    key: str
    values: tuple[str, ...] = ()
    scale: Scale | None = None
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Axis":
        """The axis of ``optimizer.lr=1e-3,3e-4`` or of a range, ``optimizer.lr=log(1e-4,1e-2)``.

        ``log`` picks orders of magnitude evenly, ``uniform`` numbers, ``int`` whole numbers, both ends
        included. Commas inside brackets and quotes do not separate values.

        Raises:
            SightlineError: it has no such form.
        """
        key, equals, right = text.partition("=")
        key, right = key.strip(), right.strip()
        if not equals or not key or not right:
            raise SightlineError(f"--sweep '{text}': write it as key=value,value or key=log(low,high).")
        if form := _RANGE.fullmatch(right):
            return cls._range(text, key, form)
        values = _split(right)
        if not all(values):
            raise SightlineError(f"--sweep '{text}': a value between two commas is missing.")
        if len(set(values)) < len(values):
            raise SightlineError(f"--sweep '{text}': a value is there twice.")
        return cls(key, tuple(values))

    @classmethod
    def _range(cls, text: str, key: str, form: re.Match[str]) -> "Axis":
        scale = form[1]
        try:
            low, high = float(form[2]), float(form[3])
        except ValueError:
            raise SightlineError(f"--sweep '{text}': a range has two numbers, {scale}(low,high).") from None
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise SightlineError(f"--sweep '{text}': a range goes from the lower number to the higher.")
        if scale == "log" and low <= 0:
            raise SightlineError(f"--sweep '{text}': log(low,high) is for numbers above 0.")
        if scale == "int" and (low != int(low) or high != int(high)):
            raise SightlineError(f"--sweep '{text}': int(low,high) is for whole numbers.")
        assert scale == "log" or scale == "uniform" or scale == "int"
        return cls(key, (), scale, low, high)

    def pick(self, generator: random.Random) -> str:
        """One of the values, or a number of the range."""
        if self.scale is None:
            return generator.choice(self.values)
        if self.scale == "int":
            return str(generator.randint(int(self.low), int(self.high)))
        if self.scale == "log":
            return _number(math.exp(generator.uniform(math.log(self.low), math.log(self.high))))
        return _number(generator.uniform(self.low, self.high))

    def override(self, value: str) -> str:
        """The override that sets the key to ``value``."""
        return f"{self.key}={value}"


class Search(Protocol):
    """Gives the overrides of one trial after another."""

    def __len__(self) -> int:
        """The number of trials."""
        ...

    def __iter__(self) -> Iterator[Overrides]:
        """The overrides of each trial; `tell` follows before the next."""
        ...

    def tell(self, value: float | None) -> None:
        """Say what came of the trial: the monitored number, or None for one that failed."""
        ...


class Picks:
    """Trials that are known beforehand."""

    def __init__(self, picks: Sequence[Overrides]) -> None:
        self._picks = list(picks)

    def __len__(self) -> int:
        return len(self._picks)

    def __iter__(self) -> Iterator[Overrides]:
        return iter(self._picks)

    def tell(self, value: float | None) -> None:
        """Nothing follows from it."""


def grid(axes: Sequence[Axis]) -> Picks:
    """Every combination, the last axis fastest.

    Raises:
        SightlineError: an axis is a range.
    """
    for axis in axes:
        if axis.scale is not None:
            raise SightlineError(f"--sweep {axis.key}: a range has no end of values; say how many --trials.")
    return Picks(_combinations(axes))


def random_picks(axes: Sequence[Axis], count: int, seed: int = 0) -> Picks:
    """``count`` combinations at random, the same for a ``seed``; of lists of values each comes once."""
    generator = random.Random(seed)  # noqa: S311  not a secret
    if all(axis.scale is None for axis in axes):
        whole = _combinations(axes)
        return Picks(generator.sample(whole, min(count, len(whole))))
    return Picks([tuple(axis.override(axis.pick(generator)) for axis in axes) for _ in range(count)])


class Tpe:
    """``count`` trials picked by Optuna's tree-structured Parzen estimator (Bergstra et al. 2011,
    "Algorithms for Hyper-Parameter Optimization"): the first third at random, then where it looks good.

    Args:
        mode: whether lower ("min") or higher ("max") is better.

    Raises:
        SightlineError: Optuna is not installed.
    """

    def __init__(self, axes: Sequence[Axis], count: int, mode: Literal["min", "max"], seed: int = 0) -> None:
        try:
            import optuna
        except ModuleNotFoundError as error:
            raise SightlineError(
                "--search optuna: Optuna is not installed; pip install 'sightline[optuna]'."
            ) from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(1, min(10, count // 3)))
        direction = "minimize" if mode == "min" else "maximize"
        self._study = optuna.create_study(sampler=sampler, direction=direction)
        self._failed = optuna.trial.TrialState.FAIL
        self._axes, self._count = list(axes), count
        self._trial: Any = None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Overrides]:
        for _ in range(self._count):
            self._trial = self._study.ask()
            yield tuple(axis.override(self._suggested(axis)) for axis in self._axes)

    def tell(self, value: float | None) -> None:
        """See `Search`."""
        if value is None or not math.isfinite(value):
            self._study.tell(self._trial, state=self._failed)
        else:
            self._study.tell(self._trial, value)

    def _suggested(self, axis: Axis) -> str:
        if axis.scale is None:
            return self._trial.suggest_categorical(axis.key, axis.values)
        if axis.scale == "int":
            return str(self._trial.suggest_int(axis.key, int(axis.low), int(axis.high)))
        return _number(self._trial.suggest_float(axis.key, axis.low, axis.high, log=axis.scale == "log"))


def _combinations(axes: Sequence[Axis]) -> list[Overrides]:
    choices = [[axis.override(value) for value in axis.values] for axis in axes]
    return list(itertools.product(*choices))


def _number(value: float) -> str:
    return f"{value:.{_DIGITS}g}"


def _split(text: str) -> list[str]:
    """The parts between the commas that stand outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append("")
            continue
        parts[-1] += letter
    return [part.strip() for part in parts]
