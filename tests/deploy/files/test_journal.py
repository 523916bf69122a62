from pathlib import Path

import pytest

from sightline.deploy.files.journal import Journal
from sightline.errors import SightlineError

KEY = {"model": "m"}


def _files(journal: Journal) -> list[str]:
    return [record["file"] for record in journal.records()]


def test_what_was_done_is_gone_on_with_and_what_was_not_is_cut_off(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.jsonl", KEY) as journal:
        journal.write({"file": "one"})
        journal.finish("one", None)
        journal.write({"file": "two", "frame": 0})
        journal.write({"file": "two", "frame": 1})
    path = tmp_path / ".a.jsonl.part"
    path.write_bytes(path.read_bytes() + b'{"file":"tw')
    with Journal(tmp_path / "a.jsonl", KEY) as journal:
        assert journal.done == {"one": None}
        assert _files(journal) == ["one"]
        journal.write({"file": "two", "frame": 0})
        journal.finish("two", "two: ends early.")
    with Journal(tmp_path / "a.jsonl", KEY) as journal:
        assert journal.done == {"one": None, "two": "two: ends early."}
        assert _files(journal) == ["one", "two"]
        journal.remove()
    assert list(tmp_path.iterdir()) == []


def test_other_work_begins_anew(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.jsonl", KEY) as journal:
        journal.write({"file": "one"})
        journal.finish("one", None)
    with Journal(tmp_path / "a.jsonl", {"model": "other"}) as journal:
        assert journal.done == {}
        assert _files(journal) == []


@pytest.mark.parametrize("cut", range(1, 120, 7))
def test_it_may_be_cut_off_anywhere(tmp_path: Path, cut: int) -> None:
    with Journal(tmp_path / "a.jsonl", KEY) as journal:
        for name in ("one", "two"):
            journal.write({"file": name})
            journal.finish(name, None)
    path = tmp_path / ".a.jsonl.part"
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(tmp_path / "a.jsonl", KEY) as journal:
        assert _files(journal) == list(journal.done)
        for name in ("one", "two"):
            if name not in journal.done:
                journal.write({"file": name})
                journal.finish(name, None)
        assert _files(journal) == ["one", "two"]


def test_what_was_written_of_a_file_can_be_taken_back(tmp_path: Path) -> None:
    with Journal(tmp_path / "a.jsonl", KEY) as journal:
        journal.write({"file": "one"})
        journal.finish("one", None)
        journal.write({"file": "two"})
        journal.abandon()
        journal.write({"file": "three"})
        journal.finish("three", None)
        assert _files(journal) == ["one", "three"]


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with (
        Journal(tmp_path / "a.jsonl", KEY),
        pytest.raises(SightlineError, match=r"a\.jsonl: another process is writing it"),
    ):
        Journal(tmp_path / "a.jsonl", KEY)
