"""How long something lasts, or how often it happens: in epochs, batches or time."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from sightline.engine.progress import Progress
from sightline.errors import SightlineError

Unit = Literal["ep", "ba", "s"]
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*(ep|ba|[smhd])")


@dataclass(frozen=True)
class Duration:
    """``10ep``: epochs, ``500ba``: batches, each one update of the weights, ``90s``, ``30m``, ``2h``: time.

    ``amount`` is at least 1 of epochs or batches, or the seconds, above 0. As text it is what was given.
    """

    amount: float
    unit: Unit
    text: str = ""

    type_name: ClassVar[str] = "a duration such as 10ep, 500ba, 90s, 30m or 2h"

    @classmethod
    def parse(cls, text: "str | Duration") -> "Duration":
        """The duration that ``text`` stands for.

        Raises:
            SightlineError: it has no such form, is zero, or a fraction of an epoch or batch.
        """
        if isinstance(text, Duration):
            return text
        form = _FORM.fullmatch(str(text).strip())
        if form is None:
            raise SightlineError(f"'{text}' is not {cls.type_name}.")
        amount, unit = float(form[1]), form[2]
        if amount <= 0 or (unit in ("ep", "ba") and amount != int(amount)):
            raise SightlineError(f"'{text}' is not {cls.type_name}: epochs and batches are whole, above 0.")
        if unit == "ep" or unit == "ba":
            return cls(int(amount), unit, str(text).strip())
        return cls(amount * _SECONDS[unit], "s", str(text).strip())

    def reached(self, progress: Progress) -> bool:
        """Whether a training that is at ``progress`` has gone on for so long."""
        if self.unit == "ba":
            return progress.step >= self.amount
        if self.unit == "ep":
            return progress.epoch >= self.amount
        return progress.seconds >= self.amount

    def steps(self, steps_per_epoch: int) -> int | None:
        """How many updates it is, where an epoch has so many; None for a time."""
        if self.unit == "s":
            return None
        return int(self.amount) * (steps_per_epoch if self.unit == "ep" else 1)

    def __str__(self) -> str:
        return self.text or f"{self.amount:g}{self.unit}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and (self.amount, self.unit) == (other.amount, other.unit)

    def __hash__(self) -> int:
        return hash((self.amount, self.unit))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def validated(value: Any) -> "Duration":
            if not isinstance(value, str | Duration):
                raise PydanticCustomError("duration", "{reason}", {"reason": f"expected {cls.type_name}"})
            try:
                return cls.parse(value)
            except SightlineError as error:
                raise PydanticCustomError(
                    "duration", "{reason}", {"reason": f"expected {cls.type_name}"}
                ) from error

        return core_schema.no_info_plain_validator_function(
            validated, serialization=core_schema.to_string_ser_schema()
        )


class Every:
    """Says when something is due that happens every ``duration``, at the boundaries between updates.

    In epochs and batches this depends on the progress alone, so a resumed training is due where the
    uninterrupted one is. ``None`` is never due.
    """

    def __init__(self, duration: Duration | None) -> None:
        self._unit = duration.unit if duration else None
        self._amount = duration.amount if duration else 1

    def due(self, progress: Progress) -> bool:
        """Whether it is due after the update (or the epoch) that was just completed."""
        unit = self._unit
        if unit == "ba":
            return progress.step % self._amount == 0
        if unit == "ep":
            return progress.batch == 0 and progress.epoch % self._amount == 0
        if unit is None:
            return False
        return progress.seconds // self._amount > progress.seconds_before // self._amount
