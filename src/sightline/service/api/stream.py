"""``/experiments/{experiment}/stream``: all that happens to an experiment, as server-sent events."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, format_sse_event
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from sightline.client.wire import Wire
from sightline.service.api import present
from sightline.service.api.call import Call, CallDep
from sightline.service.domain.refusals import RefusedError
from sightline.service.store import experiments, output
from sightline.service.wakeups import experiment_topic

router = APIRouter(prefix="/experiments/{experiment}", tags=["experiments"])

_BATCH = 1000
_ANSWER: dict[int | str, dict[str, object]] = {200: {"content": {"text/event-stream": {}}}}
_COMMENT = b": the service is still here\n"  # no empty line after it: some readers take that for an event
# JSON may hold these as they are, but many readers of lines take them for the end of one.
_LINE_ENDS = str.maketrans({end: f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"})
_ID = re.compile(r"(\d{1,18})-(\d{1,18})-(\d{1,18})")


@dataclass(frozen=True)
class _Seen:
    """What the reader has: the last log line, metric point and change of state."""

    log: int = 0
    metric: int = 0
    state: int = 0

    @classmethod
    def parse(cls, event_id: str | None) -> "_Seen":
        if not event_id:
            return cls()
        match = _ID.fullmatch(event_id)
        if match is None:
            raise RefusedError(
                f"Header 'Last-Event-ID': {event_id!r} is not the id of an event of this stream."
            )
        return cls(*(int(part) for part in match.groups()))

    def __str__(self) -> str:
        return f"{self.log}-{self.metric}-{self.state}"


@router.get("/stream", response_class=StreamingResponse, responses=_ANSWER)
async def stream(
    experiment: str, call: CallDep, last_event_id: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    """Events ``log``, ``metric`` and ``state`` from the beginning, or after ``Last-Event-ID``; then ``end``.

    A silent stream sends comments. One that breaks off without ``end`` is to be asked for again.
    """
    seen = _Seen.parse(last_event_id)
    await run_in_threadpool(_check, call, experiment)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return EventSourceResponse(_events(call, experiment, seen), headers=headers)


async def _events(call: Call, experiment_id: str, seen: _Seen) -> AsyncIterator[bytes]:
    settings, clock = call.core.settings, asyncio.get_running_loop().time
    spoke = clock()
    with call.core.wakeups.subscribe(experiment_topic(experiment_id)) as subscription:
        while not subscription.closing:
            subscription.clear()
            events, seen, is_all, has_ended = await run_in_threadpool(_look, call, experiment_id, seen)
            if events:
                spoke = clock()
                yield b"".join(events)
            if not is_all:
                continue
            if has_ended:
                yield format_sse_event(event="end", data_str="{}", id=str(seen))
                return
            if clock() - spoke >= settings.keepalive_s:
                spoke = clock()
                yield _COMMENT
            await subscription.wait(min(settings.poll_s, settings.keepalive_s))


def _check(call: Call, experiment_id: str) -> None:
    with call.core.database.read() as session:
        experiments.visible(session, experiment_id, call.actor)


def _look(call: Call, experiment_id: str, seen: _Seen) -> tuple[list[bytes], _Seen, bool, bool]:
    """What is new, what the reader has seen with it, whether that is all, and whether it was the end.

    Ids grow without gaps and everything is read from one state of the database, so that nothing is
    passed over. The final state comes after the last line.
    """
    with call.core.database.read() as session:
        row = experiments.visible(session, experiment_id, call.actor)
        logs = output.logs(session, experiment_id, seen.log, _BATCH)
        points = output.metrics(session, experiment_id, seen.metric, _BATCH)
        is_all = len(logs) < _BATCH and len(points) < _BATCH
        events: list[bytes] = []
        if not row.state.ended:
            seen = _add_state(session, experiment_id, call, events, seen)
        for line in logs:
            seen = replace(seen, log=line.id)
            events.append(_event("log", present.log_line(line), seen))
        for point in points:
            seen = replace(seen, metric=point.id)
            events.append(_event("metric", present.metric_point(point), seen))
        if row.state.ended and is_all:
            seen = _add_state(session, experiment_id, call, events, seen)
        return events, seen, is_all, row.state.ended


def _add_state(session: Session, experiment_id: str, call: Call, events: list[bytes], seen: _Seen) -> _Seen:
    newest = experiments.last_change(session, experiment_id)
    if newest > seen.state:
        seen = replace(seen, state=newest)
        row = experiments.visible(session, experiment_id, call.actor)
        events.append(_event("state", present.whole_experiment(session, row), seen))
    return seen


def _event(name: str, data: Wire, seen: _Seen) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json().translate(_LINE_ENDS), id=str(seen))
