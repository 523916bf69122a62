import json
import math
import os
import signal
import subprocess
import sys
import threading
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.errors import SightlineError
from sightline.runs.metrics_file import read_metrics, scan_metrics
from sightline.runs.metrics_writer import MAX_NAME, MetricsWriter

NAMES = st.text(min_size=1, max_size=MAX_NAME).filter(lambda name: name.strip() != "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def logged(path: Path, value: Any, step: Any = 0, name: Any = "m") -> dict[str, Any]:
    path.unlink(missing_ok=True)
    writer = MetricsWriter(path)
    try:
        writer.write("scalar", name, value, step)
    finally:
        writer.close()
    return json.loads(path.read_text())


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    name=NAMES,
    kind=st.sampled_from(["scalar", "metric"]),
    value=st.floats() | st.integers() | st.booleans(),
    step=st.integers(0, 2**63 - 1),
)
def test_every_line_is_json_and_reads_back_as_logged(
    path: Path, name: str, kind: Any, value: float, step: int
) -> None:
    path.unlink(missing_ok=True)
    writer = MetricsWriter(path)
    for _ in range(2):  # the second time with the name known
        writer.write(kind, name, value, step)
    writer.close()
    assert path.read_bytes().count(b"\n") == 2
    points, _, corrupt = scan_metrics(path)
    assert corrupt == 0
    assert points == [json.loads(line) for line in path.read_text().splitlines()]
    for point in points:
        assert (point["name"], point["kind"], point["step"]) == (name, kind, step)
        read = float(point["text"]) if point["value"] is None else point["value"]
        assert read == float(value) or (math.isnan(read) and math.isnan(value))


@pytest.mark.parametrize(
    "value",
    [
        np.float32(0.5),
        np.float64(0.5),
        np.array(0.5),
        np.array([0.5]),
        np.float16(0.5),
        Decimal("0.5"),
        Fraction(1, 2),
    ],
)
def test_anything_that_holds_one_number_is_a_value(path: Path, value: Any) -> None:
    assert logged(path, value)["value"] == 0.5


@pytest.mark.parametrize(
    ("value", "expected"), [(np.int64(3), 3), (True, 1), (np.bool_(False), 0), (2**60, 2.0**60)]
)
def test_whole_numbers(path: Path, value: Any, expected: float) -> None:
    point = logged(path, value)
    assert point["value"] == expected
    assert not isinstance(point["value"], bool)


def test_torch_values(path: Path) -> None:
    torch = pytest.importorskip("torch")
    loss = (torch.ones(3, requires_grad=True) * 0.5).mean()
    assert logged(path, loss)["value"] == 0.5
    assert logged(path, torch.tensor(7))["value"] == 7
    assert logged(path, torch.tensor(0.5, dtype=torch.bfloat16))["value"] == 0.5
    assert logged(path, 1.0, step=torch.tensor(4))["step"] == 4
    with pytest.raises(SightlineError, match=r"'m': the value has shape \(2, 2\)"):
        logged(path, torch.zeros(2, 2))


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.nan, "NaN"), (math.inf, "inf"), (-math.inf, "-inf"), (np.float32("nan"), "NaN")],
)
def test_what_json_lacks_is_null_with_a_text(path: Path, value: Any, text: str) -> None:
    point = logged(path, value)
    assert (point["value"], point["text"]) == (None, text)


@pytest.mark.parametrize(
    "value", ["0.5", b"1", None, 1j, [1.0], {}, object(), np.zeros(3), np.array([]), 10**400, np.str_("1")]
)
def test_a_value_that_is_not_one_number_is_refused_by_name(path: Path, value: Any) -> None:
    with pytest.raises(SightlineError, match=r"^Metric 'train/loss': the value ") as caught:
        logged(path, value, name="train/loss")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    "step", [-1, 1.0, 1.5, "3", None, True, 2**63, np.float64(2), np.array([1, 2]), 2**9000]
)
def test_a_step_that_is_not_a_count_is_refused_by_name(path: Path, step: Any) -> None:
    with pytest.raises(SightlineError, match=r"^Metric 'm': the step "):
        logged(path, 1.0, step=step)


@pytest.mark.parametrize("name", ["", "  ", None, 3, ["a"], "x" * (MAX_NAME + 1), "\ud800"])
def test_a_name_that_is_not_a_name_is_refused(path: Path, name: Any) -> None:
    with pytest.raises(SightlineError, match=r"^Metric .*: the name "):
        logged(path, 1.0, name=name)


def test_a_numpy_step_counts(path: Path) -> None:
    assert logged(path, 1.0, step=np.int64(12))["step"] == 12


def test_a_torn_last_line_is_not_continued(path: Path) -> None:
    path.write_text('{"t":1.0,"name":"a","kind":"scalar","value":1,"step":1}\n{"t":2.0,"na')
    writer = MetricsWriter(path)
    writer.write("scalar", "a", 2.0, 2)
    writer.write("scalar", "a", 3.0, 3)
    writer.close()
    points, _, corrupt = scan_metrics(path)
    assert [point["step"] for point in points] == [1, 2, 3]
    assert corrupt == 1


def test_writing_after_close_says_so(path: Path) -> None:
    writer = MetricsWriter(path)
    writer.close()
    writer.close()
    with pytest.raises(SightlineError, match="'m': the run is closed"):
        writer.write("scalar", "m", 1.0, 0)


def test_a_full_disk_is_a_sentence() -> None:
    writer = MetricsWriter(Path("/dev/full"))
    with pytest.raises(SightlineError, match="/dev/full cannot be written"):
        writer.write("scalar", "m", 1.0, 0)
    writer.close()


def test_threads_do_not_mix_lines(path: Path) -> None:
    writer = MetricsWriter(path)

    def log(thread: int) -> None:
        for step in range(500):
            writer.write("scalar", f"thread {thread}", step / 7, step)

    threads = [threading.Thread(target=log, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    points, _, corrupt = scan_metrics(path)
    assert (len(points), corrupt) == (2000, 0)


WRITES = """
import os, sys
from pathlib import Path
from sightline.runs.metrics_writer import MetricsWriter
writer = MetricsWriter(Path(sys.argv[1]))
children = [pid for _ in range(3) if (pid := os.fork())] if sys.argv[2] == "fork" else []
step = 0
while step < (2000 if sys.argv[2] == "fork" else 10**9):
    writer.write("scalar", "train/lo\\u00df \\"quoted\\"", step / 3, step)
    if sys.argv[2] == "acknowledge":
        os.write(1, b"%d\\n" % step)
    step += 1
for pid in children:
    os.waitpid(pid, 0)
"""


def test_processes_do_not_mix_lines(path: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITES, str(path), "fork"], check=True)
    steps, offset, corrupt = [], 0, 0
    while True:
        points, end, bad = scan_metrics(path, offset, max_bytes=100_000)
        if end == offset:
            break
        offset, corrupt = end, corrupt + bad
        steps += [point["step"] for point in points]
    # Each of three forks goes on with those made before it: 2 ** 3 processes.
    assert (len(steps), corrupt) == (8 * 2000, 0)


@pytest.mark.parametrize("after", [1, 3000])
def test_kill_9_loses_nothing_that_was_acknowledged(path: Path, after: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES, str(path), "acknowledge"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    acknowledged = -1
    for line in process.stdout:
        acknowledged = int(line)
        if acknowledged >= after:
            os.kill(process.pid, signal.SIGKILL)
            break
    rest = process.stdout.read().split()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    acknowledged = int(rest[-1]) if rest else acknowledged
    points, _ = read_metrics(path)
    steps = [point["step"] for point in points]
    assert steps[: acknowledged + 1] == list(range(acknowledged + 1))
    assert len(steps) <= acknowledged + 2
