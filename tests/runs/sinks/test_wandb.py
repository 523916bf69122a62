"""W&B offline, read back from the file that ``wandb sync`` would send."""

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import SightlineError
from sightline.runs.sinks import WandB
from tests.runs.sinks.a_run import FOLDER, left_outside, run_script

SCRIPT = """
import os
import psutil
from sightline.runs import RunLogger
from sightline.runs.sinks import WandB
from tests.runs.sinks.a_run import log_everything
for start in (1, 2):
    sink = WandB(project="eyes", entity="team", tags=["a", "b"])
    with RunLogger("demo", folder="run", sinks=[sink]) as logger:
        if start == 1:
            log_everything(logger)
            logger.flush()
            processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
            assert not [c for p in processes for c in p.net_connections("inet")]
        else:
            logger.log_scalar("train/loss", 0.125, 7)
            logger.log_scalar("train/loss", 0.5, 6)
    assert not [name for name in os.environ if name.startswith("WANDB_") and name.endswith("_DIR")]
"""

_BLOCK, _HEADER = 32 << 10, 7  # of LevelDB's log format, which wandb's file has behind 7 bytes of its own


def records(path: Path) -> Iterator[Any]:
    import wandb.proto.wandb_internal_pb2 as messages

    record: Any = messages
    data, at, whole = path.read_bytes(), 7, b""
    while at + _HEADER <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEADER:
            at += left
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        whole += data[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length
        if kind in (1, 4):  # whole, or the last part
            yield record.Record.FromString(whole)
            whole = b""


def rows(file: Path) -> list[dict[str, Any]]:
    return [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for record in records(file)
        if record.WhichOneof("record_type") == "history"
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_everything_is_in_the_offline_file_and_nothing_elsewhere(tmp_path: Path) -> None:
    run_script(tmp_path, SCRIPT)
    assert left_outside(tmp_path) == []
    folder = tmp_path / FOLDER / "run" / "wandb"
    first, second = sorted(folder.glob("offline-run-*/run-*.wandb"), key=os.path.getmtime)
    assert first.name == second.name  # a run that goes on is the same run

    begun = next(record.run for record in records(first) if record.WhichOneof("record_type") == "run")
    assert (begun.project, begun.entity, begun.display_name) == ("eyes", "team", "demo")
    assert list(begun.tags) == ["a", "b"]
    settings = {
        item.key: json.loads(item.value_json)
        for record in records(first)
        if record.WhichOneof("record_type") == "config"
        for item in record.config.update
    }
    assert settings["lr"] == 0.1
    assert settings["optimizer"] == {"name": "adam"}

    logged = rows(first)
    assert [row["train/loss"] for row in logged if "train/loss" in row][:3] == [1, 0.5, 1 / 3]
    by_name = {name: (row["step"], value) for row in logged for name, value in row.items()}
    assert by_name["accuracy"] == (4, 0.75)
    assert by_name["notes"] == (3, "two\nlines")
    assert by_name["weights/values"] == (3, [1, 3])
    kinds = {name: by_name[f"{name}/_type"][1] for name in ("picture", "confusion", "film", "table")}
    assert kinds == {
        "picture": "image-file",
        "confusion": "image-file",
        "film": "video-file",
        "table": "table-file",
    }
    files = folder.glob("offline-run-*/files/media/*/*")
    assert {path.suffix for path in files} >= {".png", ".mp4", ".json"}
    # Steps may come in any order: wandb's own, which may not, is not used.
    assert [(row["step"], row["train/loss"]) for row in rows(second)] == [(7, 0.125), (6, 0.5)]


def test_without_an_account_it_neither_asks_nor_ends_the_run(tmp_path: Path) -> None:
    out = run_script(
        tmp_path,
        "import logging, os, sys\n"
        "from sightline.runs import RunLogger\nfrom sightline.runs.sinks import WandB\n"
        "logging.basicConfig(stream=sys.stdout)\n"
        "with RunLogger(folder='run', sinks=[WandB(mode='online')]) as logger:\n"
        "    logger.log_scalar('a', 1.0)\n"
        "assert not [name for name in os.environ if name.startswith('WANDB_') and name.endswith('_DIR')]",
    )
    assert "The sink WandB failed" in out
    assert "WandB: no account is known here; call 'wandb login'" in out
    assert left_outside(tmp_path) == []


def test_a_mode_that_is_none_is_refused() -> None:
    with pytest.raises(SightlineError, match="give 'offline' or 'online'"):
        WandB(mode="of")  # type: ignore[arg-type]
