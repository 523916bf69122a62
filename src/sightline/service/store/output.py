"""Logs and metrics in the database: stored once however often they are sent, and within limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from sightline.client.wire import LogLine, LogStream, MetricPoint
from sightline.files import readable_size
from sightline.service.domain.refusals import RefusedError
from sightline.service.store.tables import LeaseRow, LogLineRow, MetricPointRow

_SYSTEM_LINES_AFTER_CUT = 1000

Sent = TypeVar("Sent", LogLine, MetricPoint)


@dataclass(frozen=True)
class Clamp:
    """What one attempt may say: beyond it one line tells that the rest was cut."""

    log_lines: int
    log_bytes: int
    log_line_bytes: int
    metric_points: int
    metric_names: int


def append_logs(
    session: Session, lease: LeaseRow, lines: Sequence[LogLine], clamp: Clamp, now: datetime
) -> int:
    """Store the lines that are new and return the last ``seq`` that need not be sent again.

    The experiment must be locked: ids are given here, in order and without gaps.

    Raises:
        RefusedError: the lines are not in order.
    """
    fresh = _fresh("log lines", lines, lease.log_seq)
    stored: list[tuple[int, datetime, LogStream, str]] = []
    for line in fresh:
        lease.log_seq = line.seq
        text = _readable(line.text, clamp.log_line_bytes)
        size = len(text.encode()) + 1
        if lease.logs_cut:
            # What the agent itself says about the end of the job is still worth keeping.
            if (
                line.stream is not LogStream.SYSTEM
                or lease.log_count >= clamp.log_lines + _SYSTEM_LINES_AFTER_CUT
            ):
                continue
        elif lease.log_count + 1 > clamp.log_lines or lease.log_bytes + size > clamp.log_bytes:
            lease.logs_cut = True
            text = (
                f"The log was cut here: a job may write {clamp.log_lines:,} lines and "
                f"{readable_size(clamp.log_bytes)}."
            )
            stored.append((line.seq, now, LogStream.SYSTEM, text))
            continue
        lease.log_count += 1
        lease.log_bytes += size
        stored.append((line.seq, line.at, line.stream, text))
    _insert_lines(session, lease, stored)
    return lease.log_seq


def append_metrics(
    session: Session, lease: LeaseRow, points: Sequence[MetricPoint], clamp: Clamp, now: datetime
) -> int:
    """Store the points that are new; otherwise as `append_logs`. Limits are told in the log."""
    fresh = _fresh("metric points", points, lease.metric_seq)
    names = set(lease.metric_names)
    first = _last_id(session, MetricPointRow, lease.experiment_id) + 1
    stored: list[dict[str, object]] = []
    cut: str | None = None
    for point in fresh:
        lease.metric_seq = point.seq
        if lease.metric_count >= clamp.metric_points:
            cut = cut or f"{clamp.metric_points:,} metric points"
            continue
        if point.name not in names and len(names) >= clamp.metric_names:
            cut = cut or f"{clamp.metric_names:,} names of metrics"
            continue
        names.add(point.name)
        lease.metric_count += 1
        stored.append(
            {
                "experiment_id": lease.experiment_id,
                "id": first + len(stored),
                "attempt": lease.attempt,
                **point.model_dump(),
                "name": point.name.replace("\0", "\ufffd"),
            }
        )
    if stored:
        session.execute(insert(MetricPointRow), stored)
    if len(names) > len(lease.metric_names):
        lease.metric_names = sorted(names)
    if cut and not lease.metrics_cut:
        lease.metrics_cut = True
        line = f"Metrics were cut here: a job may write {cut}."
        _insert_lines(session, lease, [(max(lease.log_seq, 0), now, LogStream.SYSTEM, line)])
    return lease.metric_seq


def logs(session: Session, experiment_id: str, after: int, limit: int) -> list[LogLineRow]:
    """Lines with ids above ``after``."""
    return list(
        session.scalars(
            select(LogLineRow)
            .where(LogLineRow.experiment_id == experiment_id, LogLineRow.id > after)
            .order_by(LogLineRow.id)
            .limit(limit)
        )
    )


def metrics(session: Session, experiment_id: str, after: int, limit: int) -> list[MetricPointRow]:
    """Points with ids above ``after``."""
    return list(
        session.scalars(
            select(MetricPointRow)
            .where(MetricPointRow.experiment_id == experiment_id, MetricPointRow.id > after)
            .order_by(MetricPointRow.id)
            .limit(limit)
        )
    )


def log_count(session: Session, experiment_id: str) -> int:
    """How many lines are stored."""
    return _last_id(session, LogLineRow, experiment_id)


def metric_count(session: Session, experiment_id: str) -> int:
    """How many points are stored."""
    return _last_id(session, MetricPointRow, experiment_id)


def _last_id(session: Session, table: type[LogLineRow] | type[MetricPointRow], experiment_id: str) -> int:
    return session.scalar(select(func.max(table.id)).where(table.experiment_id == experiment_id)) or 0


def _fresh(what: str, sent: Sequence[Sent], stored_seq: int) -> list[Sent]:
    """Those not stored yet. A gap is the agent's own: it dropped what it had no room to keep."""
    for before, item in pairwise(sent):
        if item.seq <= before.seq:
            raise RefusedError(
                f"Of the {what} number {item.seq} comes after {before.seq}; send them in order."
            )
    return [item for item in sent if item.seq > stored_seq]


def _insert_lines(
    session: Session, lease: LeaseRow, lines: Sequence[tuple[int, datetime, LogStream, str]]
) -> None:
    if not lines:
        return
    first = _last_id(session, LogLineRow, lease.experiment_id) + 1
    session.execute(
        insert(LogLineRow),
        [
            {
                "experiment_id": lease.experiment_id,
                "id": first + index,
                "attempt": lease.attempt,
                "seq": seq,
                "at": at,
                "stream": stream,
                "text": text,
            }
            for index, (seq, at, stream, text) in enumerate(lines)
        ],
    )


def _readable(text: str, max_bytes: int) -> str:
    """Cut an overlong line and replace NUL, which PostgreSQL does not store."""
    text = text.replace("\0", "\ufffd")
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text
    return encoded[:max_bytes].decode(errors="ignore") + f" [cut: the line has {readable_size(len(encoded))}]"
