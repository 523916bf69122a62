from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.client.wire import LogLine, LogStream, MetricPoint
from sightline.service.domain.refusals import RefusedError
from sightline.service.store import leases, output
from sightline.service.store.database import Database
from sightline.service.store.output import Clamp
from tests.service.store.scene import Scene

NOW = datetime(2030, 1, 1, tzinfo=UTC)
WIDE = Clamp(log_lines=1000, log_bytes=100_000, log_line_bytes=100, metric_points=1000, metric_names=10)


class Writer:
    """An agent with a job, and what was stored of what it sent."""

    def __init__(self, database: Database) -> None:
        self.scene = Scene.create(database)
        self.begin()

    def begin(self) -> None:
        self.scene.submit()
        leased = self.scene.lease()
        assert leased
        self.experiment, self.token = leased

    def logs(self, lines: Sequence[LogLine], clamp: Clamp = WIDE) -> int:
        with self.scene.database.write() as session:
            lease = leases.held(session, self.experiment, self.token, self.scene.agent, self.scene.now)
            return output.append_logs(session, lease, lines, clamp, NOW)

    def metrics(self, points: Sequence[MetricPoint], clamp: Clamp = WIDE) -> int:
        with self.scene.database.write() as session:
            lease = leases.held(session, self.experiment, self.token, self.scene.agent, self.scene.now)
            return output.append_metrics(session, lease, points, clamp, NOW)

    @property
    def texts(self) -> list[str]:
        with self.scene.database.read() as session:
            rows = output.logs(session, self.experiment, 0, 10_000)
            assert [row.id for row in rows] == list(range(1, len(rows) + 1))
            assert output.log_count(session, self.experiment) == len(rows)
            return [row.text for row in rows]

    @property
    def values(self) -> list[float | None]:
        with self.scene.database.read() as session:
            return [row.value for row in output.metrics(session, self.experiment, 0, 10_000)]


@pytest.fixture
def writer(database: Database) -> Writer:
    return Writer(database)


def lines(*texts: str, start: int = 0, stream: LogStream = LogStream.STDOUT) -> list[LogLine]:
    return [LogLine(seq=start + i, at=NOW, stream=stream, text=text) for i, text in enumerate(texts)]


def points(*values: float | None, start: int = 0, name: str = "loss") -> list[MetricPoint]:
    return [
        MetricPoint(seq=start + i, at=NOW, name=name, kind="metric", value=value, step=i)
        for i, value in enumerate(values)
    ]


def test_lines_sent_again_are_stored_once(writer: Writer) -> None:
    assert writer.logs(lines("a", "b")) == 1
    assert writer.logs(lines("a", "b")) == 1
    assert writer.logs(lines("a", "b", "c")) == 2
    assert writer.logs([]) == 2
    assert writer.texts == ["a", "b", "c"]


def test_points_sent_again_are_stored_once(writer: Writer) -> None:
    assert writer.metrics([]) == -1
    assert writer.metrics(points(1.0, None)) == 1
    assert writer.metrics(points(1.0, None, 2.5)) == 2
    assert writer.values == [1.0, None, 2.5]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_sent_again_all_is_stored_once_and_in_order(writer: Writer, data: st.DataObject) -> None:
    writer.begin()
    total = data.draw(st.integers(1, 8))
    every = lines(*(str(number) for number in range(total)))
    acknowledged = -1
    while acknowledged < total - 1:
        first = data.draw(st.integers(0, acknowledged + 1))
        last = data.draw(st.integers(acknowledged + 1, total - 1))
        acknowledged = writer.logs(every[first : last + 1])
        assert acknowledged == last
    assert writer.texts == [str(number) for number in range(total)]


def test_lines_out_of_order_are_refused(writer: Writer) -> None:
    with pytest.raises(RefusedError, match="0 comes after 1; send them in order"):
        writer.logs([*lines("b", start=1), *lines("a")])


def test_a_gap_is_what_the_agent_dropped(writer: Writer) -> None:
    writer.logs(lines("a"))
    assert writer.logs(lines("late", start=7)) == 7
    assert writer.texts == ["a", "late"]


def test_a_second_attempt_counts_from_zero_again(writer: Writer) -> None:
    writer.logs(lines("first try"))
    writer.scene.advance(30)
    writer.scene.sweep()
    leased = writer.scene.lease()
    assert leased
    writer.token = leased[1]
    writer.logs(lines("second try"))
    assert writer.texts == ["first try", "second try"]


def test_too_many_lines_are_cut_with_one_line_that_says_so(writer: Writer) -> None:
    clamp = replace(WIDE, log_lines=3)
    assert writer.logs(lines("1", "2", "3", "4", "5"), clamp) == 4
    assert writer.logs(lines("6", start=5), clamp) == 5
    assert writer.texts == ["1", "2", "3", "The log was cut here: a job may write 3 lines and 97.7 KB."]
    writer.logs(lines("the job ended", start=6, stream=LogStream.SYSTEM), clamp)
    assert writer.texts[4:] == ["the job ended"]


def test_too_many_bytes_are_cut(writer: Writer) -> None:
    clamp = replace(WIDE, log_bytes=10)
    writer.logs(lines("12345678", "1", "2"), clamp)
    assert writer.texts == ["12345678", "The log was cut here: a job may write 1,000 lines and 10 B."]


def test_a_long_line_is_cut_between_characters_and_nul_is_replaced(writer: Writer) -> None:
    writer.logs(lines("ä" * 100, "a\0b"))
    assert writer.texts == ["ä" * 50 + " [cut: the line has 200 B]", "a\ufffdb"]


def test_too_many_points_are_cut_and_the_log_says_so_once(writer: Writer) -> None:
    clamp = replace(WIDE, metric_points=2)
    assert writer.metrics(points(1, 2, 3), clamp) == 2
    assert writer.metrics(points(4, start=3), clamp) == 3
    assert writer.values == [1, 2]
    assert writer.texts == ["Metrics were cut here: a job may write 2 metric points."]


def test_too_many_names_are_cut_and_known_ones_go_on(writer: Writer) -> None:
    clamp = replace(WIDE, metric_names=2)
    for seq, name in enumerate(["a", "b", "c", "a"]):
        writer.metrics(points(seq, start=seq, name=name), clamp)
    assert writer.values == [0, 1, 3]
    assert writer.texts == ["Metrics were cut here: a job may write 2 names of metrics."]
