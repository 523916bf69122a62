"""A run whose disk is full, on a real small file system."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.runs import read_metrics, read_record
from tests.needs import needs


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    mounted = os.getuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    needs("the right to mount a tmpfs", mounted)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


BODY = """
import sys
from pathlib import Path
from sightline.runs import RunLogger
with RunLogger(folder=sys.argv[1]) as logger:
    if sys.argv[2] == "media":
        logger.log_text("large", "x" * 4_000_000)
        logger.flush()
        logger.log_scalar("a", 1.0, 0)
    else:
        step = 0
        while True:
            logger.log_scalar("a", step / 3, step)
            step += 1
"""


def run(folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BODY, str(folder), what], capture_output=True, text=True, timeout=60
    )


def test_a_run_that_filled_the_disk_still_says_so(small_disk: Path) -> None:
    done = run(small_disk / "run", "scalars")
    assert done.returncode == 1
    assert "metrics.jsonl cannot be written (No space left on device)" in done.stderr
    record = read_record(small_disk / "run")
    assert (record.status, record.exit_code) == ("failed", 1)
    assert "No space left on device" in (record.error or "")
    assert record.ended_at is not None
    # What fitted is there, and only the last line may be torn.
    points, _ = read_metrics(small_disk / "run/metrics.jsonl")
    assert [point["step"] for point in points] == list(range(len(points)))
    assert len(points) > 5000
    assert not list((small_disk / "run").glob("*.part"))


def test_a_picture_for_which_there_is_no_room_does_not_end_the_run(small_disk: Path) -> None:
    done = run(small_disk / "run", "media")
    assert done.returncode == 0, done.stderr
    assert "'large' at step 0 was not written" in done.stderr
    assert "No space left on device" in done.stderr
    assert read_record(small_disk / "run").status == "succeeded"
    assert not list((small_disk / "run").rglob("*.txt*"))


def test_the_reserve_is_there_while_the_run_is_and_gone_after_it(tmp_path: Path) -> None:
    from sightline.runs import RunLogger

    with RunLogger(folder=tmp_path):
        reserve = (tmp_path / ".reserve").stat()
        assert reserve.st_blocks * 512 >= 64 << 10
    assert not (tmp_path / ".reserve").exists()
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "succeeded"
