import json
import math
import os
from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.runs import RunLogger
from sightline.runs.curves import read_curves
from sightline.runs.summaries import Choice, goal_of, in_order, summarise


def line(name: str, value: float | None, step: int, **more: object) -> str:
    return json.dumps({"t": 1.0, "name": name, "kind": "scalar", "value": value, "step": step, **more}) + "\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with RunLogger("a", folder=tmp_path / "run") as logger:
        logger.log_scalar("loss", 2, 0)
        logger.log_scalar("loss", math.nan, 1)
        logger.log_metric("acc", -math.inf, 1)
    return tmp_path / "run"


def test_the_table_and_the_lines_give_the_same(run: Path) -> None:
    from_table = read_curves(run, resumed=False)
    assert from_table.select("name", "step").rows() == [("loss", 0), ("loss", 1), ("acc", 1)]
    assert [str(value) for value in from_table["value"]] == ["2.0", "nan", "-inf"]
    (run / "metrics.parquet").unlink()
    assert read_curves(run, resumed=False).equals(from_table)


def test_a_table_older_than_the_lines_is_not_read(run: Path) -> None:
    with (run / "metrics.jsonl").open("a") as stream:
        stream.write(line("loss", 1.5, 2))
    later = (run / "metrics.parquet").stat().st_mtime_ns + 1
    os.utime(run / "metrics.jsonl", ns=(later, later))
    assert read_curves(run, resumed=False)["step"].to_list() == [0, 1, 1, 2]


def test_a_table_that_is_broken_is_not_read(run: Path) -> None:
    (run / "metrics.parquet").write_bytes(b"PAR1 no")
    assert len(read_curves(run, resumed=False)) == 3


@pytest.mark.parametrize(
    "rubbish",
    ["", '{"t": 1', "[]\n", "nonsense\n", '{"t": "x"}\n', "\0\0\n", line("x", 1, -1), line("x", None, 1)],
)
def test_rubbish_and_a_half_line_are_passed_over(tmp_path: Path, rubbish: str) -> None:
    text = line("a", 1.0, 0) + line("a", None, 1, text="inf") + rubbish
    (tmp_path / "metrics.jsonl").write_text(text)
    points = read_curves(tmp_path, resumed=False)
    assert points.select("name", "value", "step").rows() == [("a", 1.0, 0), ("a", math.inf, 1)]


def test_lines_across_chunks_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.runs.curves._CHUNK", 100)
    (tmp_path / "metrics.jsonl").write_text("".join(line("a", step / 3, step) for step in range(50)))
    assert read_curves(tmp_path, resumed=False)["value"].to_list() == [step / 3 for step in range(50)]


def test_a_missing_file_is_an_empty_one_and_a_link_is_refused(tmp_path: Path) -> None:
    assert read_curves(tmp_path, resumed=False).is_empty()
    (tmp_path / "secret").write_text(line("a", 1, 1))
    (tmp_path / "metrics.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(SightlineError, match="cannot be read as a metrics file"):
        read_curves(tmp_path, resumed=False)


def test_what_a_resumed_run_writes_anew_stands_for_what_it_had_written(tmp_path: Path) -> None:
    before = [("a", 1.0, 10), ("a", 2.0, 20), ("b", 5.0, 20), ("a", 3.0, 30)]
    after = [("a", 7.0, 15), ("a", 8.0, 25)]
    (tmp_path / "metrics.jsonl").write_text("".join(line(*point) for point in before + after))
    points = read_curves(tmp_path, resumed=True).select("name", "value", "step").rows()
    assert points == [("a", 1.0, 10), ("b", 5.0, 20), ("a", 7.0, 15), ("a", 8.0, 25)]
    assert len(read_curves(tmp_path, resumed=False)) == 6


def test_a_resumed_run_that_names_no_steps_keeps_all(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(line("a", 1.0, 0) * 4)
    assert len(read_curves(tmp_path, resumed=True)) == 4


def test_last_and_best(tmp_path: Path) -> None:
    with RunLogger("a", folder=tmp_path / "run") as logger:
        for step, (loss, accuracy) in enumerate([(3.0, 0.5), (1.0, 0.9), (math.nan, 0.7)]):
            logger.log_scalar("loss", loss, step)
            logger.log_metric("acc", accuracy, step)
            logger.log_scalar("lr", 0.1, step)
            logger.log_scalar("never", math.inf, step)
    points = read_curves(tmp_path / "run", resumed=False)
    found = summarise(points)
    assert list(found) == ["acc", "loss", "lr", "never"]
    assert (found["acc"].last, found["acc"].best, found["acc"].best_step) == (0.7, 0.9, 1)
    assert math.isnan(found["loss"].last)
    assert (found["loss"].best, found["loss"].best_step) == (1.0, 1)
    assert (found["lr"].best, found["lr"].points) == (None, 3)
    assert summarise(points, [Choice.of("never:min")])["never"].best is None
    assert summarise(points, [Choice.of("lr:max"), Choice.of("a*")])["lr"].best == 0.1
    assert list(summarise(points, [Choice.of("lr"), Choice.of("*")])) == ["lr", "acc", "loss", "never"]


@pytest.mark.parametrize(
    ("name", "kind", "goal"),
    [
        ("val/loss", "scalar", "min"),
        ("train_loss_1", "metric", "min"),
        ("Top1-Error", "metric", "min"),
        ("RMSE", "metric", "min"),
        ("val/mIoU", "metric", "max"),
        ("glossiness", "metric", "max"),
        ("lr", "scalar", None),
    ],
)
def test_what_is_better_is_told_by_the_name(name: str, kind: str, goal: str | None) -> None:
    assert goal_of(name, kind) == goal


def test_a_choice_may_hold_what_is_better() -> None:
    assert Choice.of("val/d:min") == ("val/d", "min")
    assert Choice.of("a:b") == ("a:b", None)
    assert in_order({"b": "metric", "a[1]": "metric"}, [Choice.of("a[1]")]) == ["a[1]"]
