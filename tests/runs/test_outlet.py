import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.runs import RunLogger, read_metrics, read_record
from sightline.runs.records import Configuration, Picture, Progress, Record, Scalar, Text
from sightline.runs.sinks import RunInfo


class Kept:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.calls: list[str] = []
        self.info: RunInfo | None = None

    def start(self, run: RunInfo) -> None:
        self.calls.append("start")
        self.info = run

    def write(self, record: Record) -> None:
        self.calls.append("write")
        self.records.append(record)

    def flush(self) -> None:
        self.calls.append("flush")

    def close(self, status: str) -> None:
        self.calls.append(status)


class Failing(Kept):
    """A sink that raises in one of its methods."""

    def __init__(self, method: str, error: BaseException) -> None:
        super().__init__()

        def fail(*_: object) -> None:
            self.calls.append(method)
            raise error

        setattr(self, method, fail)


def test_sinks_get_typed_records_in_the_order_logged(tmp_path: Path) -> None:
    sink = Kept()
    with RunLogger("a", folder=tmp_path, sinks=[sink]) as logger:
        logger.log_configuration({"lr": 0.1})
        logger.log_scalar("loss", 1, 0)
        logger.log_text("note", "x", 1)
        logger.log_metric("accuracy", True, 2)
        logger.log_image("picture", _image(), 3)
        logger.log_progress(1, 10, "batches", 0, 20.0)
        logger.flush()
        assert sink.calls[-1] == "flush"
    configuration, loss, note, accuracy, picture, progress = sink.records
    assert configuration == Configuration({"lr": 0.1})
    assert isinstance(loss, Scalar)
    assert loss[:3] == ("loss", 1, 0)
    assert isinstance(note, Text)
    assert (note.text, note.file) == ("x", tmp_path / "media/note/1.txt")
    assert isinstance(accuracy, Scalar)
    assert (accuracy.kind, accuracy.value) == ("metric", 1)
    assert isinstance(picture, Picture)
    assert picture.file.is_file()
    assert isinstance(progress, Progress)
    points, _ = read_metrics(tmp_path / "metrics.jsonl")
    assert [point["t"] for point in points] == [round(loss.time, 6), round(accuracy.time, 6)]
    assert sink.info == RunInfo("a", tmp_path, 1, {})
    assert (sink.calls[0], sink.calls[-1]) == ("start", "succeeded")
    with RunLogger("a", folder=tmp_path, sinks=[sink]):
        assert sink.info == RunInfo("a", tmp_path, 2, {"lr": 0.1})


def _image() -> object:
    import numpy as np

    return np.zeros((4, 4), np.uint8)


@pytest.mark.parametrize("method", ["start", "write", "flush", "close"])
@pytest.mark.parametrize(
    "error", [ValueError("no\nway"), SystemExit(2), SightlineError("the place is full.")]
)
def test_a_sink_that_fails_is_named_once_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, method: str, error: BaseException
) -> None:
    failing, other = Failing(method, error), Kept()
    with RunLogger(folder=tmp_path, sinks=[failing, other]) as logger:
        for step in range(100):
            logger.log_scalar("a", step, step)
    assert failing.calls.count(method) == 1
    assert failing.calls[-1] == method
    assert len(other.records) == 100
    assert other.calls[-1] == "succeeded"
    (message,) = [record.getMessage() for record in caplog.records]
    assert "The sink Failing failed" in message
    assert (str(error).splitlines() or ["SystemExit"])[0] in message
    assert "\n" not in message
    assert read_record(tmp_path).status == "succeeded"


def test_a_full_queue_is_waited_for_and_loses_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.runs.outlet._MOST_RECORDS", 50)
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Kept):
        def write(self, record: Record) -> None:
            begun.set()
            go_on.wait(10)
            super().write(record)

    sink = Slow()
    with RunLogger(folder=tmp_path, sinks=[sink]) as logger:

        def log() -> None:
            for step in range(500):
                logger.log_scalar("a", step, step)

        thread = threading.Thread(target=log)
        thread.start()
        begun.wait(10)
        thread.join(0.2)
        assert thread.is_alive()  # it waits, and metrics.jsonl has what it logged before
        assert len(read_metrics(tmp_path / "metrics.jsonl")[0]) < 100
        go_on.set()
        thread.join(10)
    assert [record.step for record in sink.records if isinstance(record, Scalar)] == list(range(500))
    (message,) = [record.getMessage() for record in caplog.records]
    assert "comes faster than Slow can take it" in message


def test_media_in_memory_are_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.runs.outlet._MOST_BYTES", 1000)
    with RunLogger(folder=tmp_path) as logger:
        for step in range(20):
            logger.log_text("a", "x" * 400, step)
            assert logger._outlet._bytes <= 1000
    assert len((tmp_path / "media.jsonl").read_text().splitlines()) == 20


SINK = """
class Lines:
    def start(self, run): self.stream = open(run.folder / "lines", "a")
    def write(self, record): self.stream.write(f"{record.name} {record.step}\\n")
    def flush(self): self.stream.flush()
    def close(self, status): self.stream.write(status + "\\n"); self.stream.close()
"""


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run lines of Python that have ``logger``, with a sink that writes ``run/lines``."""

    def run(body: str) -> subprocess.CompletedProcess[str]:
        lines = ["import os, signal, sys, time", "from sightline.runs import RunLogger", SINK]
        lines += ["logger = RunLogger(folder='run', sinks=[Lines()])", body]
        return subprocess.run(
            [sys.executable, "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )

    return run


@pytest.mark.parametrize(
    ("ending", "status"), [("", "succeeded"), ("sys.exit(3)", "succeeded"), ("1 / 0", "failed")]
)
def test_sinks_are_flushed_when_the_process_ends(
    script: Callable[[str], subprocess.CompletedProcess[str]], tmp_path: Path, ending: str, status: str
) -> None:
    done = script(
        f"for step in range(3000): logger.log_scalar('a', step, step)\nlogger.log_text('t', 'x', 9)\n{ending}"
    )
    lines = (tmp_path / "run/lines").read_text().splitlines()
    assert len(lines) == 3002, done.stderr
    assert lines[-2:] == ["t 9", status]


def test_sigkill_loses_no_metric(
    script: Callable[[str], subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    script(
        "for step in range(3000): logger.log_scalar('a', step, step)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    assert len(read_metrics(tmp_path / "run/metrics.jsonl")[0]) == 3000


def test_a_forked_child_leaves_the_sinks_to_its_parent(
    script: Callable[[str], subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = script(
        "logger.log_scalar('before', 1, 0)\n"
        "if os.fork() == 0:\n"
        "    logger.log_scalar('child', 1, 0)\n    logger.flush()\n"
        "    try: logger.log_text('t', 'x')\n    except Exception as error: print(error)\n"
        "    sys.exit(0)\n"
        "os.wait()\nlogger.log_scalar('after', 1, 0)"
    )
    assert done.returncode == 0, done.stderr
    assert "a forked process cannot log media" in done.stdout
    assert (tmp_path / "run/lines").read_text().splitlines() == ["before 0", "after 0", "succeeded"]
    points, _ = read_metrics(tmp_path / "run/metrics.jsonl")
    assert [point["name"] for point in points] == ["before", "child", "after"]


def test_without_sinks_and_media_there_is_no_thread(tmp_path: Path) -> None:
    with RunLogger(folder=tmp_path) as logger:
        logger.log_scalar("a", 1.0)
        logger.log_progress(1, 2)
        logger.flush()
        assert "sightline-sinks" not in [thread.name for thread in threading.enumerate()]
        logger.log_text("a", "x")
        assert "sightline-sinks" in [thread.name for thread in threading.enumerate()]
    assert "sightline-sinks" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(
    ("sinks", "message"), [([Kept, 3], "is no sink"), (Kept(), r"give a list, such as \[Kept")]
)
def test_what_is_no_list_of_sinks_is_a_sentence(tmp_path: Path, sinks: object, message: str) -> None:
    with pytest.raises(SightlineError, match=message):
        RunLogger(folder=tmp_path / "run", sinks=sinks)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
