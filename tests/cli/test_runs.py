import csv
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.cli.main import main
from sightline.runs import RunLogger
from tests.cli.conftest import Person


@pytest.fixture
def runs(nobody: Person) -> Path:
    """Three runs where runs lie: two that succeeded, one that failed with a NaN."""
    folder = nobody.home / ".data" / "experiments"
    for number, rate in enumerate((0.1, 0.2), start=1):
        with RunLogger(f"digits-{number}", folder=folder / f"digits-{number}") as logger:
            logger.log_configuration({"optimizer": {"lr": rate}, "seed": 0})
            for step in range(10):
                logger.log_scalar("train/loss", 1 / (step + 1), step)
                logger.log_metric("val/accuracy", rate * step, step)
            (logger.path_model_checkpoints() / "last.pt").write_bytes(b"x" * 2048)
    failing = RunLogger("nan", folder=folder / "nan")
    failing.log_scalar("train/loss", math.nan, 3)
    failing.close("failed", exit_code=1, error="FloatingPointError: the loss is NaN")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_ls(nobody: Person, runs: Path) -> None:
    (runs / "bad").mkdir()
    (runs / "bad" / "run.json").write_text("{")
    lines = nobody.ok("runs", "ls").out.splitlines()
    assert lines[0].split() == ["run", "status", "started", "duration", "val/accuracy", "train/loss", "error"]
    assert [line.split()[:2] for line in lines[1:]] == [
        ["nan", "failed"],
        ["digits-2", "succeeded"],
        ["digits-1", "succeeded"],
        ["bad", "broken"],
    ]
    assert "NaN" in lines[1]
    assert "FloatingPointError: the loss is NaN" in lines[1]
    assert "1.8" in lines[2]
    assert "run.json: is not JSON" in lines[4]
    entries = nobody.ok("runs", "ls", "--status", "failed", "--json").json
    assert [entry["name"] for entry in entries] == ["nan"]
    assert entries[0]["metrics"]["train/loss"]["last"] == "NaN"
    assert entries[0]["metrics"]["train/loss"]["best"] is None


def test_ls_shows_the_metrics_that_fit_or_are_chosen(nobody: Person, runs: Path) -> None:
    narrow = Person(nobody.home, {"COLUMNS": "70"}).ok("runs", "ls", "--status", "succeeded")
    assert "val/accuracy" in narrow.out
    assert "train/loss" not in narrow.out
    assert "1 more metrics (train/loss)" in narrow.err
    chosen = nobody.ok("runs", "ls", str(runs), "--metric", "train/*")
    assert "val/accuracy" not in chosen.out


def test_ls_without_runs(nobody: Person) -> None:
    assert "no runs" in nobody.ok("runs", "ls").err
    assert nobody.ok("runs", "ls", "--json").json == []
    assert "there is no such folder" in nobody("runs", "ls", "nowhere").err


def test_show(nobody: Person, runs: Path) -> None:
    shown = nobody.ok("runs", "show", "digits-2").out
    for text in ("succeeded", "optimizer.lr", "val/accuracy", "last.pt", "2.0 KB"):
        assert text in shown
    found = nobody.ok("runs", "show", "--json").json
    assert (found["name"], found["status"], found["record"]["exit_code"]) == ("nan", "failed", 1)
    assert nobody.ok("runs", "show", "digits-1", "--json").json["files"]["checkpoints"] == [
        "checkpoints/last.pt"
    ]
    assert "'digits' is in the names of 2 runs" in nobody("runs", "show", "digits").err


def test_compare(nobody: Person, runs: Path) -> None:
    table = nobody.ok("runs", "compare", "digits-1", "digits-2").out
    lines = {line.split("  ")[0]: line.split()[1:] for line in table.splitlines()}
    assert lines["optimizer.lr"] == ["0.1", "0.2"]
    assert "seed" not in lines
    assert lines["val/accuracy last"] == ["last", "0.9", "1.8*"]
    found = nobody.ok("runs", "compare", "digits-1", "nan", "--json").json
    assert found["settings"] == {"optimizer.lr": [0.1, None], "seed": [0, None]}
    assert found["metrics"]["train/loss"]["runs"][1]["last"] == "NaN"
    rows = list(csv.DictReader(nobody.ok("runs", "compare", "digits-1", "nan", "--csv").out.splitlines()))
    assert [row["optimizer.lr"] for row in rows] == ["0.1", ""]
    assert [float(row["train/loss best"] or "nan") for row in rows] == [
        0.1,
        pytest.approx(math.nan, nan_ok=True),
    ]
    assert "give one of them" in nobody("runs", "compare", "last", "--csv", "--json").err
    assert "none of these runs has a metric 'x'" in nobody("runs", "compare", "last", "--metric", "x").err


def test_plot(nobody: Person, runs: Path) -> None:
    result = nobody.ok(
        "runs", "plot", "digits-1", "digits-2", "-o", "a.png", "--metric", "val/*", "--smooth", "0.5"
    )
    assert result.out == "a.png\n"
    assert (nobody.home / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "write to a .png file" in nobody("runs", "plot", "last", "-o", "a.pdf").err
    text = nobody.ok("runs", "plot", "digits-1", "nan").out.splitlines()
    assert text[1].split() == ["digits-1", "▁▁▂▃▄▅▆▇██", "0.9", "at", "9"]
    assert any("!" in line for line in text)


def test_rm_asks_and_names_what_goes(nobody: Person, runs: Path) -> None:
    result = nobody("runs", "rm", "digits-1")
    assert "add --yes" in result.err
    assert "digits-1  succeeded" in result.err
    assert (runs / "digits-1").exists()
    nobody.ok("runs", "rm", "digits-1", "--yes")
    nobody.ok("runs", "rm", "--status", "failed", "--yes")
    assert names(runs) == ["digits-2"]
    assert "say which runs" in nobody("runs", "rm").err


def test_rm_keeps_the_best(nobody: Person, runs: Path) -> None:
    assert "belong together" in nobody("runs", "rm", "--keep-best", "1").err
    assert "no run has a best value of 'x'" in nobody("runs", "rm", "--keep-best", "1", "--by", "x").err
    result = nobody.ok("runs", "rm", "--keep-best", "1", "--by", "val/accuracy", "--yes")
    assert "nan: has no value of 'val/accuracy' to judge by and stays" in result.err
    assert names(runs) == ["digits-2", "nan"]
    result = nobody.ok("runs", "rm", "--keep-best", "1", "--by", "val/accuracy", "--yes")
    assert "nothing to remove" in result.err


def test_rm_leaves_a_live_run_alone_until_it_is_killed(nobody: Person, runs: Path) -> None:
    body = (
        f"import time\nfrom sightline.runs import RunLogger\nRunLogger(folder={str(runs / 'alive')!r})\n"
        "print('up', flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", body], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    try:
        assert "is running; stop it first" in nobody("runs", "rm", "alive", "--yes").err
        assert "nothing to remove" in nobody("runs", "rm", "--status", "running", "--yes").err
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert "interrupted" in nobody.ok("runs", "ls").out
    nobody.ok("runs", "rm", "--status", "interrupted", "--yes")
    assert not (runs / "alive").exists()


@pytest.mark.parametrize("command", ["ls", "show", "compare", "plot", "rm"])
def test_each_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["runs", command, "--help"])
    assert f"sightline runs {command}" in capsys.readouterr().out
