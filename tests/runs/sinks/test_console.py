import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.runs import RunLogger
from sightline.runs.records import Progress, Scalar
from sightline.runs.sinks import Console, RunInfo


def test_in_a_pipe_there_are_plain_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLogger("digits", folder=tmp_path, sinks=[Console(every_s=3600)]) as logger:
        for step in range(50):
            logger.log_scalar("train/loss", 1 / (step + 1), step)
            logger.log_progress(step + 1, 100, "batches", epoch=0, samples_per_s=1234.5)
            if step % 20 == 19:
                logger.log_metric("accuracy", step / 50, step)
                logger.log_metric("f1", 3, step)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    lines = [re.sub(r"\d\d:\d\d:\d\d|\d:\d\d:\d\d", "TIME", line) for line in out.splitlines()]
    assert lines == [
        f"run digits: {tmp_path}",
        "TIME  step 19  accuracy 0.38  f1 3",
        "TIME  step 39  accuracy 0.78  f1 3",
        "TIME  epoch 0  50/100 batches (50%)  train/loss 0.02  1,234 samples/s  ETA TIME",
        f"run digits succeeded after TIME: {tmp_path}",
    ]


def test_the_time_left_is_by_the_pace_so_far(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(every_s=0)
    console.start(RunInfo("a", tmp_path, 1, {}))
    console.write(Progress(100, 1000, "batches", None, None, time=1000.0))
    console.write(Progress(200, 1000, "batches", None, None, time=1010.0))
    console.flush()
    assert "200/1,000 batches (20%)  ETA 0:01:20" in capsys.readouterr().out
    # Going on from a checkpoint it is not reckoned with what was done before.
    console.write(Progress(150, 1000, "batches", None, None, time=1020.0))
    console.write(Progress(151, None, "batches", 2, 3.25, time=1021.0))
    console.write(Scalar("loss", float("nan"), 7, 1021.0))
    console.flush()
    assert "epoch 2  151 batches  loss nan  3.2 samples/s\n" in capsys.readouterr().out


def test_lines_come_no_more_often_than_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(every_s=0.2)
    console.start(RunInfo("a", tmp_path, 2, {}))
    assert "run a goes on" in capsys.readouterr().out
    console.write(Scalar("loss", 0.5, 1, 0.0))
    console.flush()
    assert capsys.readouterr().out == ""
    time.sleep(0.25)
    console.flush()
    assert capsys.readouterr().out.endswith("  step 1  loss 0.5\n")
    time.sleep(0.25)
    console.flush()
    assert capsys.readouterr().out == ""  # nothing new


SCRIPT = """
import os, time
from sightline.runs import RunLogger
from sightline.runs.sinks import Console
with RunLogger("digits", folder="run", sinks=[Console()]) as logger:
    for step in range(8):
        logger.log_scalar("train/loss", 0.5, step)
        logger.log_progress(step + 1, 8, "batches", epoch=1, samples_per_s=99.0)
        if step == 4:
            print("printed in between")
            logger.log_metric("accuracy", 0.75, step)
            if os.fork() == 0:
                print("a worker")
                os._exit(0)
            os.wait()
        logger.flush()
"""


def test_on_a_terminal_there_is_one_view(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, stdout=slave, env={**os.environ, "TERM": "xterm"}
    )
    os.close(slave)
    seen = b""
    try:
        while chunk := os.read(master, 4096):
            seen += chunk
    except OSError:
        pass  # the other end is closed
    os.close(master)
    assert process.wait(60) == 0
    text = seen.decode()
    assert "\x1b[1A" in text  # drawn over
    assert "8/8 batches (100%)" in text
    assert "99 samples/s" in text
    assert "━" in text
    assert text.count("step 4  accuracy 0.75") == 1
    assert text.count("printed in between") == 1
    assert "run digits succeeded after" in text.splitlines()[-1]
    assert "\x1b[?25h" in text  # the cursor is shown again


def test_a_closed_pipe_does_not_end_the_run(tmp_path: Path) -> None:
    script = SCRIPT.replace('print("printed in between")', "pass")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert done.stderr.count("The sink Console failed") == 1
    assert "BrokenPipeError" in done.stderr
    assert '"succeeded"' in (tmp_path / "run/run.json").read_text()


def test_a_pause_below_0_is_refused() -> None:
    with pytest.raises(SightlineError, match="every_s is -1"):
        Console(every_s=-1)
