"""What every part of a running service shares."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sightline.service.settings import Settings
from sightline.service.store.database import Database
from sightline.service.store.leases import Terms
from sightline.service.store.objects import LocalObjects
from sightline.service.store.output import Clamp
from sightline.service.wakeups import Wakeups

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of a real service."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Core:
    """Settings, database, objects, wake-ups and the clock."""

    settings: Settings
    database: Database
    objects: LocalObjects
    now: Clock = utc_now
    wakeups: Wakeups = field(default_factory=Wakeups)

    @classmethod
    def open(cls, settings: Settings, now: Clock = utc_now) -> "Core":
        """Open the database and the object folder that the settings name."""
        settings.folder.mkdir(parents=True, exist_ok=True)
        return cls(settings, Database(settings.url), LocalObjects(settings.folder), now)

    @property
    def terms(self) -> Terms:
        """The terms of leases."""
        return Terms(self.settings.lease_s, self.settings.max_attempts)

    @property
    def clamp(self) -> Clamp:
        """The limits of logs and metrics."""
        limits = self.settings
        return Clamp(
            log_lines=limits.max_log_lines,
            log_bytes=limits.max_log_bytes,
            log_line_bytes=limits.max_log_line_bytes,
            metric_points=limits.max_metric_points,
            metric_names=limits.max_metric_names,
        )
