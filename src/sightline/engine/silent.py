"""A logger for ranks that write nothing."""

from typing import Any, Self


class SilentLogger:
    """Takes every call of `sightline.runs.RunLogger` and does nothing."""

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("log_"):
            raise AttributeError(name)
        return _nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: Any) -> None:
        return None


def _nothing(*_arguments: Any, **_options: Any) -> None:
    return None
