"""What every back end does for a job: run it, pass its lines on, say how it ended."""

import json
import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.sandbox import Ending, Limits, ProcessSandbox, PythonEnvironment, available, choose
from sightline.sandbox.lines import CUT_MARK, MAX_LINE_BYTES
from tests.sandbox.harness import Harness, find_marked, run_here


def test_runs_a_script_and_passes_its_lines_on(any_kind: Harness) -> None:
    script = """
import os, sys
for number in range(3):
    print("out", number)
    print("err", number, file=sys.stderr)
open(os.environ["SIGHTLINE_MODEL_DIR"] + "/weights", "w").write("w")
open("trace", "w").write(os.getcwd())
sys.stdout.buffer.write(b"bad \\xff\\xfe bytes\\n")
print("last, without a line end", end="")
"""
    result = any_kind.run(script=script)
    assert result.outcome.ending is Ending.SUCCEEDED, result
    assert result.outcome.exit_code == 0
    assert result.text("stdout") == [
        "out 0",
        "out 1",
        "out 2",
        "bad \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} bytes",
        "last, without a line end",
    ]
    assert result.text("stderr") == ["err 0", "err 1", "err 2"]
    assert (any_kind.folders.model / "weights").read_text() == "w"
    expected = "/opt/ml/code" if any_kind.isolated else str(any_kind.folders.code)
    assert (any_kind.folders.code / "trace").read_text() == expected


def test_names_the_exit_code_and_the_failure_file(any_kind: Harness) -> None:
    script = """
import os, sys
open(os.environ["SIGHTLINE_ARTIFACT_DIR"] + "/../failure", "w").write("no images\\n of class 3" + "!" * 5000)
sys.exit(3)
"""
    outcome = any_kind.run(script=script).outcome
    assert (outcome.ending, outcome.exit_code) == (Ending.FAILED, 3)
    assert outcome.reason.startswith("the command exited with code 3: no images of class 3!!!")
    assert len(outcome.reason) < 600


def test_a_failure_file_that_is_a_link_is_not_followed(any_kind: Harness) -> None:
    secret = any_kind.root / "secret"
    secret.write_text("do not tell")
    script = f"""
import os, sys
os.symlink({str(secret)!r}, os.environ["SIGHTLINE_ARTIFACT_DIR"] + "/../failure")
sys.exit(1)
"""
    assert any_kind.run(script=script).outcome.reason == "the command exited with code 1"


def test_names_the_signal(any_kind: Harness) -> None:
    outcome = any_kind.run(script="import os; os.kill(os.getpid(), 11)").outcome
    assert (outcome.ending, outcome.exit_code) == (Ending.FAILED, None)
    assert outcome.reason == "the command was ended by signal SIGSEGV"


def test_a_command_that_is_not_there(any_kind: Harness) -> None:
    outcome = any_kind.run("no-such-program", "x").outcome
    assert (outcome.ending, outcome.exit_code) == (Ending.FAILED, 127)
    assert outcome.reason == "the command 'no-such-program' was not found in the sandbox"


def test_a_command_that_cannot_be_executed(any_kind: Harness) -> None:
    job = any_kind.job()
    (job.folders.code / "data.txt").write_text("text")
    outcome = any_kind.run("./data.txt").outcome
    assert (outcome.ending, outcome.exit_code) == (Ending.FAILED, 126)
    assert outcome.reason == "the command './data.txt' cannot be executed: Permission denied"


def test_src_is_on_the_path_and_variables_arrive(any_kind: Harness) -> None:
    job = any_kind.job()
    (job.folders.code / "src").mkdir()
    (job.folders.code / "src" / "nets.py").write_text("depth = 18")
    result = any_kind.run(
        script="import nets, os; print(nets.depth, os.environ['EPOCHS'], os.environ['SIGHTLINE_JOB'])",
        variables={"EPOCHS": "5", "SIGHTLINE_JOB": "0"},
    )
    assert result.text() == ["18 5 1"], "the contract's own variables cannot be set"


def test_lines_come_as_they_are_printed(own_kind: Harness) -> None:
    times: list[float] = []
    job = own_kind.job(script="import time\nprint('a')\ntime.sleep(0.5)\nprint('b')")
    own_kind.sandbox().run(job, lambda *_: times.append(time.monotonic()), threading.Event())
    assert times[1] - times[0] > 0.35


def test_a_flood_and_a_line_without_end_are_cut(any_kind: Harness) -> None:
    script = """
import sys
sys.stdout.write("x" * 5_000_000 + "\\n")
for number in range(20_000):
    print(number)
sys.stderr.write("10%\\r50%\\r100%\\r\\n")
"""
    result = any_kind.run(script=script)
    assert result.outcome.ending is Ending.SUCCEEDED
    first, *others = result.text()
    assert first == "x" * MAX_LINE_BYTES + CUT_MARK
    assert others == [str(number) for number in range(20_000)]
    assert result.text("stderr") == ["100%"]


def test_outputs_that_the_job_has_closed_are_opened(any_kind: Harness) -> None:
    script = """
import os
folder = os.environ["SIGHTLINE_MODEL_DIR"] + "/deep"
os.mkdir(folder)
open(folder + "/weights", "w").write("w")
os.chmod(folder + "/weights", 0)
os.chmod(folder, 0)
"""
    assert any_kind.run(script=script).outcome.ending is Ending.SUCCEEDED
    deep = any_kind.folders.model / "deep"
    assert stat.S_IMODE(deep.stat().st_mode) & 0o700 == 0o700
    assert stat.S_IMODE((deep / "weights").stat().st_mode) & 0o600 == 0o600


def test_a_process_that_left_with_setsid_is_ended(any_kind: Harness) -> None:
    mark = f"survivor-{os.getpid()}-{any_kind.kind}"
    script = f"""
import os, signal, sys, time
for attempt in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.closerange(0, 3)
            os.execvpe(sys.executable, [sys.executable, "-c", "import time; time.sleep(60) # {mark}"], {{}})
        os._exit(0)
time.sleep(0.3)
"""
    result = any_kind.run(script=script)
    assert result.outcome.ending is Ending.SUCCEEDED
    assert find_marked(mark) == []


def test_two_jobs_at_once(own_kind: Harness) -> None:
    sandbox = own_kind.sandbox()
    job = own_kind.job(script="import time\ntime.sleep(0.3)\nprint('done')")
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: run_here(sandbox, job), range(3)))
    assert [result.text() for result in results] == [["done"]] * 3


def test_an_error_of_the_listener_ends_the_job(in_process: Harness) -> None:
    mark = f"listener-{os.getpid()}"
    job = in_process.job(script=f"import time\nprint('x')\ntime.sleep(60) # {mark}", variables={"M": mark})

    def fail(stream: str, text: str) -> None:
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        in_process.sandbox().run(job, fail, threading.Event())
    assert find_marked(mark) == []


def test_a_missing_dataset_is_named(own_kind: Harness) -> None:
    job = own_kind.job("true")
    own_kind.dataset.joinpath("image.txt").unlink()
    own_kind.dataset.rmdir()
    with pytest.raises(SightlineError, match=r"the dataset folder .* does not exist"):
        run_here(own_kind.sandbox(), job)


def test_process_uses_the_host_paths_and_no_host_variables(in_process: Harness) -> None:
    os.environ["SECRET_OF_THE_HOST"] = "1"
    try:
        result = in_process.run(script="import json, os; print(json.dumps(dict(os.environ)))")
    finally:
        del os.environ["SECRET_OF_THE_HOST"]
    variables = json.loads(result.text()[0])
    assert variables["SIGHTLINE_DATASET_DIR"] == str(in_process.dataset)
    assert variables["SIGHTLINE_RUN_DIR"] == str(in_process.folders.run)
    assert Path(variables["HOME"]).is_relative_to(in_process.folders.root)
    assert "SECRET_OF_THE_HOST" not in variables


def test_process_leaves_real_folders_behind(in_process: Harness) -> None:
    script = """
import os
os.rmdir(os.environ["SIGHTLINE_MODEL_DIR"])
os.symlink("/etc", os.environ["SIGHTLINE_MODEL_DIR"])
"""
    in_process.run(script=script)
    assert not in_process.folders.model.is_symlink()
    assert list(in_process.folders.model.iterdir()) == []


def test_a_job_that_kills_its_guardian_is_still_ended(in_process: Harness) -> None:
    mark = f"guardian-{os.getpid()}"
    script = f"""
import os, time
if os.fork() == 0:
    os.setsid()
    time.sleep(60) # {mark}
os.kill(os.getppid(), 9)
time.sleep(60)
"""
    outcome = in_process.run(script=script, variables={"M": mark}).outcome
    assert outcome.ending is Ending.FAILED
    assert outcome.reason == "the first process of the sandbox was killed from outside"
    assert find_marked(mark) == []


def test_describe_says_what_it_does(any_kind: Harness) -> None:
    text = any_kind.sandbox().describe()
    if any_kind.isolated:
        assert text.startswith(f"namespace ({any_kind.tool}): no network, dataset read-only")
    else:
        assert "NO ISOLATION" in text
    assert any_kind.sandbox().isolated is any_kind.isolated


def test_an_interpreter_that_is_gone_is_named(own_kind: Harness) -> None:
    job = replace(own_kind.job("true"), python=PythonEnvironment(own_kind.root / "gone" / "python"))
    with pytest.raises(SightlineError, match=r"the sandbox could not be set up: .*gone/python"):
        run_here(own_kind.sandbox(), job)


def test_choose() -> None:
    assert available()[-1] == "process"
    assert choose(["process"]).name == "process"
    assert choose().name == available()[0]
    with pytest.raises(SightlineError, match="'docker' is not a sandbox of this machine"):
        choose(["docker"])


def test_limits_must_make_sense() -> None:
    with pytest.raises(ValueError, match="memory_bytes must be above 0"):
        Limits(time_s=1, memory_bytes=0, output_bytes=1, cpus=1)
    assert ProcessSandbox().name == "process"
