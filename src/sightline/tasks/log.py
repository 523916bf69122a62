"""What a task logs, at the step and in the part of the training at hand."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.runs import RunLogger


class StepLog:
    """`RunLogger`'s methods for a task, which knows neither the step nor whether it is being validated.

    Values may be callables, which are evaluated only when the entry is due. Without a logger, as in a loop
    of one's own, nothing happens.
    """

    def __init__(self, logger: "RunLogger | None" = None, part: str = "train") -> None:
        self._logger = logger
        self.part = part
        self.step = 0

    def scalar(self, name: str, value: Any) -> None:
        """Log a number; see `RunLogger.log_scalar`."""
        if self._logger is not None:
            self._logger.log_scalar(f"{self.part}/{name}", value, self.step)

    def __getattr__(self, kind: str) -> Any:
        if kind.startswith("_"):
            raise AttributeError(kind)
        if self._logger is None:
            return lambda *_arguments, **_options: None
        log = getattr(self._logger, f"log_{kind}")
        return lambda name, *values, **options: log(f"{self.part}/{name}", *values, step=self.step, **options)


NO_LOG = StepLog()
