import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from sightline.errors import SightlineError
from sightline.runs import RunLogger, read_metrics, read_record

KINDS = ("RUN", "MODEL", "CHECKPOINT", "ARTIFACT")
JOB_VARIABLES = (
    "SIGHTLINE_JOB",
    "HAFNIA_CLOUD",
    *(f"{prefix}_{kind}_DIR" for prefix in ("SIGHTLINE", "MDI") for kind in KINDS),
)


@pytest.fixture(autouse=True)
def _laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in JOB_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run lines of Python that have ``logger``, and return how that ended; the run is in ``run``."""

    def run(body: str, *options: str) -> subprocess.CompletedProcess[str]:
        # What a shell starts in the background is told to ignore SIGINT, and so are its children.
        heed = "signal.signal(signal.SIGINT, signal.default_int_handler)"
        lines = ["import os, signal, sys, time", heed, "from sightline.runs import RunLogger", body]
        (tmp_path / "train.py").write_text("\n".join(lines))
        return subprocess.run(
            [sys.executable, *options, "train.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )

    return run


def test_a_run_leaves_a_run_directory() -> None:
    with RunLogger("My run: 1/2") as logger:
        logger.log_scalar("train/loss", 0.5, 100)
        logger.log_metric("train/accuracy", value=0.98, step=100)
        logger.log_configuration({"batch_size": 128})
        assert read_record(logger.folder).status == "running"
    assert logger.folder.parent == Path.cwd() / ".data" / "experiments"
    assert logger.folder.name.endswith("-My-run-1-2")
    record = read_record(logger.folder)
    assert (record.name, record.status, record.exit_code) == ("My run: 1/2", "succeeded", 0)
    assert record.ended_at is not None
    assert record.ended_at >= record.started_at
    assert record.pid == os.getpid()
    assert record.versions["python"].startswith("3.")
    assert json.loads((logger.folder / "configuration.json").read_text()) == {"batch_size": 128}
    environment = json.loads((logger.folder / "environment.json").read_text())
    assert environment["packages"]["polars"] == pl.__version__
    points, _ = read_metrics(logger.folder / "metrics.jsonl")
    assert [(point["name"], point["kind"]) for point in points] == [
        ("train/loss", "scalar"),
        ("train/accuracy", "metric"),
    ]
    assert pl.read_parquet(logger.folder / "metrics.parquet")["value"].to_list() == [0.5, 0.98]


def test_configurations_add_up() -> None:
    logger = RunLogger()
    logger.log_configuration({"lr": 0.1, "epochs": 3})
    logger.log_configuration({"lr": 0.2})
    assert json.loads((logger.folder / "configuration.json").read_text()) == {"lr": 0.2, "epochs": 3}
    logger.close()
    with pytest.raises(SightlineError, match="the run is closed"):
        logger.log_configuration({})


def test_folders_exist_when_they_are_asked_for() -> None:
    with RunLogger("a") as logger:
        assert sorted(path.name for path in logger.folder.iterdir() if path.is_dir()) == []
        paths = [logger.path_model(), logger.path_model_checkpoints(), logger.path_artifacts()]
        assert [path.relative_to(logger.folder).as_posix() for path in paths] == [
            "model",
            "checkpoints",
            "data",
        ]
        assert all(path.is_dir() for path in paths)


@pytest.mark.parametrize("prefix", ["SIGHTLINE", "MDI"])
def test_in_a_job_the_jobs_folders_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.setenv(
        "SIGHTLINE_JOB" if prefix == "SIGHTLINE" else "HAFNIA_CLOUD", "1" if prefix == "SIGHTLINE" else "true"
    )
    for kind in ("MODEL", "CHECKPOINT", "ARTIFACT"):
        monkeypatch.setenv(f"{prefix}_{kind}_DIR", str(tmp_path / "job" / kind))
    run = tmp_path / "job" / "ARTIFACT" / "run"
    if prefix == "SIGHTLINE":
        run = tmp_path / "job" / "run"
        monkeypatch.setenv("SIGHTLINE_RUN_DIR", str(run))
    with RunLogger("a", folder=tmp_path / "elsewhere") as logger:
        assert logger.folder == run
        assert logger.path_model() == tmp_path / "job" / "MODEL"
        assert logger.path_model_checkpoints() == tmp_path / "job" / "CHECKPOINT"
        assert logger.path_artifacts() == tmp_path / "job" / "ARTIFACT"
    assert (run / "run.json").is_file()
    assert not (tmp_path / "elsewhere").exists()


def test_a_jobs_variables_alone_do_not_make_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MDI_MODEL_DIR", str(tmp_path / "left-over"))
    with RunLogger("a") as logger:
        assert logger.path_model() == logger.folder / "model"


def test_a_named_folder_is_continued(tmp_path: Path) -> None:
    with RunLogger("a", folder=tmp_path / "run") as logger:
        logger.log_scalar("x", 1, 1)
        logger.log_configuration({"lr": 0.1})
    with (tmp_path / "run" / "metrics.jsonl").open("a") as stream:
        stream.write('{"torn')
    first = read_record(tmp_path / "run")
    with RunLogger("a", folder=str(tmp_path / "run")) as logger:
        assert read_record(tmp_path / "run").status == "running"
        logger.log_scalar("x", 2, 2)
        logger.log_configuration({"epochs": 3})
    record = read_record(tmp_path / "run")
    assert (record.starts, record.started_at) == (2, first.started_at)
    assert pl.read_parquet(tmp_path / "run" / "metrics.parquet")["step"].to_list() == [1, 2]
    assert json.loads((tmp_path / "run" / "configuration.json").read_text()) == {"lr": 0.1, "epochs": 3}


@pytest.mark.parametrize("form", ["plain", "with"])
@pytest.mark.parametrize(
    ("ending", "status", "code", "error"),
    [
        ("pass", "succeeded", 0, None),
        ("raise ValueError('two\\nlines')", "failed", 1, "ValueError: two"),
        ("raise KeyboardInterrupt", "interrupted", 130, "KeyboardInterrupt"),
        ("os.kill(os.getpid(), 2); time.sleep(9)", "interrupted", 130, "KeyboardInterrupt"),
    ],
)
def test_the_record_says_how_the_run_ended(
    script: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    form: str,
    ending: str,
    status: str,
    code: int,
    error: str | None,
) -> None:
    opening = (
        "logger = RunLogger(folder='run')\nif True:"
        if form == "plain"
        else "with RunLogger(folder='run') as logger:"
    )
    done = script(f"{opening}\n    logger.log_scalar('a', 1)\n    {ending}")
    record = read_record(tmp_path / "run")
    assert record.name == "train"
    assert record.status == status
    # A plain logger cannot see what sys.exit() was given, so it does not claim 0.
    assert record.exit_code == (None if form == "plain" and status == "succeeded" else code)
    assert (record.error or "").startswith(error or "")
    assert (tmp_path / "run" / "metrics.parquet").is_file()
    assert (done.returncode == 0) == (status == "succeeded")
    assert "atexit" not in done.stderr


@pytest.mark.parametrize(
    ("given", "status", "code"), [("", "succeeded", 0), ("3", "failed", 3), ("'no'", "failed", 1)]
)
def test_a_with_block_sees_what_sys_exit_was_given(
    tmp_path: Path, given: str, status: str, code: int
) -> None:
    with pytest.raises(SystemExit), RunLogger(folder=tmp_path / "run"):
        exec(f"import sys; sys.exit({given})")
    record = read_record(tmp_path / "run")
    assert (record.status, record.exit_code) == (status, code)


def test_a_killed_run_is_told_from_a_live_one(tmp_path: Path) -> None:
    body = (
        "import sys, time\nfrom sightline.runs import RunLogger\n"
        "logger = RunLogger(folder='run')\nlogger.log_scalar('a', 1)\nprint('up', flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", body], cwd=tmp_path, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert read_record(tmp_path / "run").status == "running"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "running"
    assert read_record(tmp_path / "run").status == "interrupted"
    assert len(read_metrics(tmp_path / "run" / "metrics.jsonl")[0]) == 1


def test_a_forked_child_does_not_end_its_parents_run(
    script: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = script(
        "logger = RunLogger(folder='run')\n"
        "if os.fork() == 0:\n    logger.log_scalar('child', 1)\n    sys.exit(0)\n"
        "os.wait()\nassert '\"running\"' in open('run/run.json').read()\nlogger.log_scalar('parent', 1)"
    )
    assert done.returncode == 0, done.stderr
    assert read_record(tmp_path / "run").status == "succeeded"
    points, _ = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [point["name"] for point in points] == ["child", "parent"]


def test_runs_that_begin_at_once_never_share_a_folder(tmp_path: Path) -> None:
    body = (
        "import os, sys\nfrom sightline.runs import RunLogger\n"
        "sys.stdin.read()\nfor _ in range(5):\n    print(RunLogger('same').folder)\nos._exit(0)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", body],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    folders: list[str] = []
    for process in processes:
        assert process.stdout is not None
        folders += process.stdout.read().split()
        process.stdout.close()
        process.wait()
    assert len(folders) == len(set(folders)) == 30


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SightlineError, match=r"run directory .*file/run cannot be made"):
        RunLogger(folder=tmp_path / "file" / "run")


def test_a_broken_record_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match="is not a run directory"):
        read_record(tmp_path)
    for content in ("", "[]", "{}", '{"status": "running"}'):
        (tmp_path / "run.json").write_text(content)
        with pytest.raises(SightlineError, match=r"run\.json: "):
            read_record(tmp_path)


def test_importing_the_logger_imports_neither_polars_nor_torch() -> None:
    code = (
        "import sys, sightline.runs; assert not {'polars', 'torch', 'pydantic', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
