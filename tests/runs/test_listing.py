import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import SightlineError
from sightline.runs import RunLogger
from sightline.runs.comparing import compare, flat_settings
from sightline.runs.listing import Run, find_named, find_runs
from sightline.runs.removal import check_removable, remove


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with three runs that started one after the other, one of them in a folder of its own."""
    for second, name in enumerate(("digits-a", "digits-b", "sweep/lr-1"), start=1):
        make(tmp_path / "runs" / name, second)
    return tmp_path / "runs"


def make(folder: Path, second: int = 0, **settings: object) -> Path:
    with RunLogger(folder.name, folder=folder) as logger:
        logger.log_configuration(settings)
        logger.log_metric("acc", second / 10)
    record = json.loads((folder / "run.json").read_text())
    times = {"started_at": f"2026-01-01T00:00:0{second}+00:00", "ended_at": "2026-01-01T00:01:00+00:00"}
    (folder / "run.json").write_text(json.dumps({**record, **times, "launch": {"rank": 0}}))
    return folder


def names(found: list[Run]) -> list[str]:
    return [run.name for run in found]


def test_runs_are_found_newest_first_also_in_folders_of_runs(runs: Path) -> None:
    (runs / "notes").mkdir()
    (runs / ".hidden").mkdir()
    (runs / "file.txt").write_text("")
    (runs / "digits-a" / "inner").mkdir()
    found = find_runs(runs)
    assert names(found) == ["sweep/lr-1", "digits-b", "digits-a"]
    assert [run.duration_s for run in found] == [57, 58, 59]
    assert names(find_runs(runs / "digits-a")) == ["digits-a"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is not JSON"),
        ("[]", "holds list instead"),
        ("{}", "missing required field `name`"),
        ('{"name": 1, "status": "failed", "started_at": "2026-01-01"}', "in `name`"),
        ('{"name": "a", "status": "fine", "started_at": "2026-01-01"}', "in `status`"),
        ('{"name": "a", "status": "failed", "started_at": "soon"}', "soon"),
        ("\udcff", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_broken_is_listed_last_with_the_reason(runs: Path, content: str, reason: str) -> None:
    (runs / "bad").mkdir()
    (runs / "bad" / "run.json").write_text(content, errors="surrogateescape")
    (runs / "20260101-000000-begun").mkdir()
    found = find_runs(runs)
    assert names(found)[:3] == ["sweep/lr-1", "digits-b", "digits-a"]
    bad = next(run for run in found if run.name == "bad")
    assert bad.status == "broken"
    assert reason in (bad.problem or "")
    assert found[3:] != []
    assert {run.status for run in found[3:]} == {"broken"}


def test_links_are_not_followed(runs: Path, tmp_path: Path) -> None:
    (runs / "round").symlink_to(runs)
    make(tmp_path / "outside")
    (runs / "linked").symlink_to(tmp_path / "outside")
    assert len(find_runs(runs)) == 3


@pytest.mark.parametrize(
    ("text", "name"),
    [("digits-a", "digits-a"), ("sweep", "sweep/lr-1"), ("s-b", "digits-b"), ("last", "sweep/lr-1")],
)
def test_a_run_is_named_by_what_only_it_has(runs: Path, text: str, name: str) -> None:
    assert names(find_named([text, text], runs)) == [name]


def test_a_run_is_named_by_its_path(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = make(tmp_path / "other" / "digits-a")
    assert names(find_named([str(other)], runs)) == ["digits-a"]
    assert names(find_named([str(other), "digits-a"], runs)) == [str(other), str(runs / "digits-a")]
    monkeypatch.chdir(other)
    assert find_named(["."], runs)[0].folder.resolve() == other


def test_a_name_of_none_or_several_is_a_sentence_with_candidates(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"'digits' is in the names of 2 runs \(digits-a, digits-b\)"):
        find_named(["digits"], runs)
    with pytest.raises(SightlineError, match=r"no run 'digitz-a' in .*; there are digits-a"):
        find_named(["digitz-a"], runs)
    with pytest.raises(SightlineError, match="there is no run 'last'"):
        find_named(["last"], tmp_path / "none")
    with pytest.raises(SightlineError, match="is not a run directory"):
        find_named([str(tmp_path)], runs)


def test_settings_that_differ_are_compared(tmp_path: Path) -> None:
    first = make(tmp_path / "a", 1, optimizer={"lr": 0.1, "betas": [0.9, 0.99]}, steps=[{"n": 1}], seed=0)
    second = make(
        tmp_path / "b", 2, optimizer={"lr": 0.2, "betas": [0.9, 0.99]}, steps=[{"n": 2}], extra=None
    )
    runs = find_named([str(first), str(second)], tmp_path)
    found = compare(runs)
    assert flat_settings(runs[0])["optimizer.betas"] == [0.9, 0.99]
    assert found.settings == {
        "optimizer.lr": [0.1, 0.2],
        "steps.0.n": [1, 2],
        "seed": [0, None],
        "extra": [None, None],
    }
    assert found.best_run("acc") == 1
    assert compare([runs[0], runs[0]]).settings == {}
    assert compare([runs[0], runs[0]]).best_run("acc") is None


def test_removing_takes_the_run_and_nothing_else(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "data").write_text("x")
    (runs / "digits-a" / "link").symlink_to(tmp_path / "precious")
    remove(find_named(["digits-a"], runs)[0])
    assert sorted(path.name for path in runs.iterdir()) == ["digits-b", "sweep"]
    assert (tmp_path / "precious" / "data").read_text() == "x"


def test_what_must_stay_is_not_removed(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(text: str, match: str) -> None:
        run = find_named([text], runs)[0]
        with pytest.raises(SightlineError, match=match):
            remove(run)
        assert run.folder.exists()

    with RunLogger("alive", folder=runs / "alive"):
        refused("alive", "is running; stop it first")
    (runs / "bad").mkdir()
    (runs / "bad" / "run.json").write_text("{}")
    refused("bad", "by hand")
    (tmp_path / "link").symlink_to(runs / "digits-a")
    refused(str(tmp_path / "link"), "is a link")
    (runs / "digits-a" / ".git").mkdir()
    refused("digits-a", "holds a repository")
    make(runs / "digits-b" / "more" / "inner")
    refused("digits-b", r"holds another run \(more/inner\)")
    monkeypatch.chdir(runs / "alive")
    refused("alive", "is where you are")


def test_an_interrupted_removal_leaves_no_half_run(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    real, calls = shutil.rmtree, []

    def interrupted(path: Path, **options: Any) -> None:
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        real(path, **options)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        remove(find_named(["digits-a"], runs)[0])
    assert sorted(path.name for path in runs.iterdir()) == ["digits-b", "sweep"]


def test_reading_goes_on_while_a_run_writes(tmp_path: Path) -> None:
    stop = threading.Event()
    with RunLogger("a", folder=tmp_path / "a") as logger:

        def write() -> None:
            step = 0
            while not stop.wait(0.001):
                logger.log_metric("acc", 0.5, step)
                step += 1

        thread = threading.Thread(target=write)
        thread.start()
        try:
            runs = find_runs(tmp_path)
            for _ in range(20):
                compare(runs)
        finally:
            stop.set()
            thread.join()
        assert runs[0].status == "running"
        with pytest.raises(SightlineError):
            check_removable(runs[0])


def test_many_processes_that_begin_at_once_never_share_a_folder(tmp_path: Path) -> None:
    """They wait for the same moment, so that all take the same name for their folder."""
    body = (
        "import sys, time\nfrom pathlib import Path\n"
        "from sightline.runs.locations import find_locations\n"
        "import sightline.runs.locations as locations\n"
        "class Frozen:\n    now = staticmethod(lambda: __import__('datetime').datetime(2026, 1, 1))\n"
        "locations.datetime = Frozen\n"
        "print('up', flush=True)\nsys.stdin.read()\n"
        "print(*(find_locations('same', None).run for _ in range(25)), sep='\\n')"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", body],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "up\n"
    folders: list[str] = []
    for process in processes:
        assert process.stdin
        process.stdin.close()
    for process in processes:
        assert process.stdout
        folders += process.stdout.read().split()
        process.stdout.close()
        process.wait()
    assert len(set(folders)) == len(folders) == 200
