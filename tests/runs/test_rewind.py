import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.runs import RunLogger
from sightline.runs.records import Rewind
from tests.runs.test_outlet import Kept


def train(logger: RunLogger, steps: range) -> None:
    for step in steps:
        logger.log_scalar("loss", 1 / (step + 1), step)
        logger.log_text("note", f"at {step}", step, every="2ba")
        logger.log_text("same", f"at {step}")  # all of them at step 0


def content(run: Path) -> dict[str, object]:
    """What is in the logs and media, without times."""
    lines = {
        name: [{**json.loads(line), "t": 0} for line in (run / name).read_text().splitlines()]
        for name in ("metrics.jsonl", "media.jsonl")
    }
    files = {str(path.relative_to(run)): path.read_bytes() for path in sorted((run / "media").rglob("*.*"))}
    return {**lines, "files": files}


def test_a_resumed_run_leaves_what_the_uninterrupted_one_leaves(tmp_path: Path) -> None:
    with RunLogger(folder=tmp_path / "whole") as logger:
        train(logger, range(10))
    logger = RunLogger(folder=tmp_path / "resumed")
    train(logger, range(5))
    position = json.loads(json.dumps(logger.position()))
    train(logger, range(5, 8))
    logger.close()
    # As if it had been killed: a file without its line, and half a line.
    (tmp_path / "resumed/media/note/8.txt").write_text("cut off")
    with (tmp_path / "resumed/metrics.jsonl").open("a") as stream:
        stream.write('{"t":1')
    sink = Kept()
    with RunLogger(folder=tmp_path / "resumed", sinks=[sink]) as logger:
        logger.rewind(position)
        assert not (tmp_path / "resumed/metrics.parquet").exists()
        train(logger, range(5, 10))
    assert content(tmp_path / "resumed") == content(tmp_path / "whole")
    assert sink.records[0] == Rewind(step=5)


def test_rewinding_to_where_the_run_is_tells_nobody(tmp_path: Path) -> None:
    sink = Kept()
    with RunLogger(folder=tmp_path, sinks=[sink]) as logger:
        train(logger, range(2))
        before = content(tmp_path) if logger.position() else None
        logger.rewind(logger.position())
        assert content(tmp_path) == before
    assert not any(isinstance(record, Rewind) for record in sink.records)


def test_rewinding_an_empty_run(tmp_path: Path) -> None:
    with RunLogger(folder=tmp_path) as logger:
        start = logger.position()
        assert start == {"metrics.jsonl": 0, "media.jsonl": 0}
        train(logger, range(2))
        logger.rewind(start)
        train(logger, range(2))
    assert len(content(tmp_path)["metrics.jsonl"]) == 2  # type: ignore[arg-type]
    assert sorted(path.name for path in (tmp_path / "media/same").iterdir()) == ["0-2.txt", "0.txt"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics.jsonl": 10**9}, r"metrics\.jsonl: has \d+ bytes, and had 1,000,000,000"),
        ({"media.jsonl": 10**9}, r"media\.jsonl: has \d+ bytes"),
        ({"metrics.jsonl": 7}, r"metrics\.jsonl: no line ends at byte 7"),
        ({"metrics.jsonl": -1}, "has no length of metrics.jsonl"),
        ({"metrics.jsonl": None}, "has no length of metrics.jsonl"),
    ],
)
def test_the_position_of_another_run_is_refused(tmp_path: Path, change: dict[str, int], message: str) -> None:
    with RunLogger(folder=tmp_path) as logger:
        train(logger, range(3))
        position = logger.position()
        before = content(tmp_path)
        with pytest.raises(SightlineError, match=message):
            logger.rewind({**position, **change})
        assert content(tmp_path) == before


def test_what_the_media_list_names_elsewhere_is_not_removed(tmp_path: Path) -> None:
    kept = tmp_path / "keep.txt"
    kept.write_text("")
    run = tmp_path / "run"
    with RunLogger(folder=run) as logger:
        train(logger, range(1))
        position = logger.position()
        with (run / "media.jsonl").open("a") as stream:
            for file in (str(kept), "../keep.txt", "media/../../keep.txt", 3, "run.json"):
                stream.write(json.dumps({"file": file}) + "\n")
        logger.rewind(position)
        assert kept.exists()
        assert (run / "run.json").exists()


ENDLESS = """
import json
from sightline.runs import RunLogger
logger = RunLogger(folder="run")
step = 0
while True:
    logger.log_scalar("loss", 1 / (step + 1), step)
    logger.log_text("note", "x" * 20_000, step)
    if step % 5 == 4:
        print(json.dumps([step, logger.position()]), flush=True)
    step += 1
"""


@pytest.mark.parametrize("seed", range(3))
def test_after_sigkill_a_checkpoints_position_is_still_there(tmp_path: Path, seed: int) -> None:
    checkpoints = random.Random(seed).randint(1, 40)
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(checkpoints)]
    step, position = json.loads(lines[-1])
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    run = tmp_path / "run"
    with RunLogger(folder=run) as logger:
        logger.rewind(position)
        logger.log_text("note", "again", step + 1)
    lines = [json.loads(line) for line in (run / "media.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(step + 2))
    assert [(run / line["file"]).stat().st_size for line in lines] == [20_000] * (step + 1) + [5]
    assert len((run / "metrics.jsonl").read_text().splitlines()) == step + 1
