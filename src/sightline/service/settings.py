"""What whoever runs the service can set."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sightline.errors import SightlineError

_MB = 1 << 20
_GB = 1 << 30


class Settings(BaseModel):
    """Where the service keeps its things, its clocks (seconds) and its limits (bytes unless named).

    ``folder`` holds objects, uploads and keys, and the database unless ``database_url`` (SQLAlchemy's
    form; PostgreSQL through psycopg) names another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path
    database_url: str | None = None

    lease_s: float = Field(default=30.0, gt=0)
    """An agent not heard of for this long has lost its job."""
    heartbeat_s: float = Field(default=5.0, gt=0)
    """How often agents are told to call."""
    max_attempts: int = Field(default=2, ge=1)
    poll_s: float = Field(default=1.0, gt=0)
    """How often a waiting call looks for what *another* process wrote; this one's own wakes it at once."""
    keepalive_s: float = Field(default=15.0, gt=0)
    """A silent stream sends a comment this often, so that proxies do not close it."""

    max_request_bytes: int = Field(default=32 * _MB, gt=0)
    """Of one JSON request."""
    max_trainer_bytes: int = Field(default=500 * _MB, gt=0)
    max_archive_bytes: int = Field(default=1024 * _GB, gt=0)
    """Of one dataset archive."""

    max_log_lines: int = Field(default=20_000, gt=0)
    """Per attempt at a job, as the three below."""
    max_log_bytes: int = Field(default=4 * _MB, gt=0)
    """Logs reach the author before any release, so this bounds what can leave through them."""
    max_metric_points: int = Field(default=500_000, gt=0)
    max_metric_names: int = Field(default=500, gt=0)
    max_log_line_bytes: int = Field(default=16_384, gt=0)
    max_artifacts: int = Field(default=10_000, gt=0)
    """Files per job; their bytes are limited by the environment's output quota."""

    @classmethod
    def from_words(cls, folder: Path, words: Iterable[str]) -> Self:
        """Settings with some given as ``NAME=VALUE``.

        Raises:
            SightlineError: a word is not of that form, or names or gives what cannot be; it lists what can.
        """
        values: dict[str, str] = {}
        for word in words:
            name, equals, value = word.partition("=")
            if not equals or name not in cls.model_fields or name == "folder":
                known = ", ".join(field for field in cls.model_fields if field != "folder")
                raise SightlineError(f"Setting '{word}' is not NAME=VALUE with one of these names: {known}.")
            values[name] = value
        try:
            return cls.model_validate({"folder": folder, **values})
        except ValidationError as error:
            first = error.errors()[0]
            subject = f"Setting '{first['loc'][0]}'" if first["loc"] else "These settings"
            reason = first["msg"].removeprefix("Value error, ")
            raise SightlineError(f"{subject} cannot be used: {reason}.") from error

    @model_validator(mode="after")
    def _heartbeat_within_lease(self) -> Self:
        if self.heartbeat_s >= self.lease_s:
            raise ValueError(
                f"heartbeat_s ({self.heartbeat_s:g}) must be shorter than lease_s ({self.lease_s:g})"
            )
        return self

    @property
    def url(self) -> str:
        """The database's address."""
        return self.database_url or f"sqlite:///{self.folder / 'service.db'}"
