"""Every limit, under every back end, by a real job that exceeds it."""

import os
import time
from pathlib import Path

from sightline.sandbox import Ending
from sightline.sandbox.cgroups import find_parents
from tests.sandbox.harness import Harness, find_marked, start_helper

MB = 1 << 20


def test_time_limit_lets_the_job_save_first(any_kind: Harness) -> None:
    script = """
import os, signal, sys, time
def save(*_):
    open(os.environ["SIGHTLINE_CHECKPOINT_DIR"] + "/last", "w").write("saved")
    print("saved")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("training")
time.sleep(60)
"""
    result = any_kind.run(script=script, time_s=0.5)
    assert result.outcome.ending is Ending.TIME_LIMIT
    assert result.outcome.reason == "stopped after 0.5 s, the time limit of its environment"
    assert result.text() == ["training", "saved"]
    assert (any_kind.folders.checkpoints / "last").read_text() == "saved"


def test_time_limit_ends_a_job_that_does_not_listen(any_kind: Harness) -> None:
    script = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nwhile True: time.sleep(1)"
    outcome = any_kind.run(script=script, time_s=0.5, grace_s=0.3).outcome
    assert outcome.ending is Ending.TIME_LIMIT
    assert 0.7 < outcome.wall_s < 3


def test_cancel(any_kind: Harness) -> None:
    result = any_kind.run(script="import time; print('on', flush=True); time.sleep(60)", cancel_after_s=0.7)
    assert result.outcome.ending is Ending.CANCELLED
    assert result.outcome.reason == "the job was cancelled"
    assert result.outcome.wall_s < 3


def test_memory_limit(any_kind: Harness) -> None:
    script = """
import time
held = []
for _ in range(40):
    held.append(bytearray(b"x") * (10 << 20))
    time.sleep(0.01)
time.sleep(5)
"""
    outcome = any_kind.run(script=script, memory_bytes=128 * MB).outcome
    assert outcome.ending is Ending.MEMORY_LIMIT
    assert outcome.reason == "killed: it used more than its 128.0 MB of memory"
    assert outcome.peak_memory_bytes is not None
    assert 100 * MB < outcome.peak_memory_bytes < 400 * MB


def test_memory_of_all_processes_counts(any_kind: Harness) -> None:
    script = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        held = bytearray(b"x") * (50 << 20)
        time.sleep(20)
        os._exit(0)
time.sleep(20)
"""
    outcome = any_kind.run(script=script, memory_bytes=150 * MB).outcome
    assert outcome.ending is Ending.MEMORY_LIMIT


def test_memory_in_shared_memory_counts(namespace_kind: Harness) -> None:
    script = """
import time
with open("/dev/shm/a", "wb") as a, open("/tmp/b", "wb") as b:
    for _ in range(45):
        a.write(bytes(2 << 20)); b.write(bytes(2 << 20))
time.sleep(3)
"""
    outcome = namespace_kind.run(script=script, memory_bytes=100 * MB).outcome
    assert outcome.ending is Ending.MEMORY_LIMIT


def test_one_huge_request_of_memory_is_survived(any_kind: Harness) -> None:
    outcome = any_kind.run(script="held = bytearray(b'x') * (8 << 30)", memory_bytes=128 * MB).outcome
    assert outcome.ending in (Ending.MEMORY_LIMIT, Ending.FAILED)


def test_output_quota(any_kind: Harness) -> None:
    script = """
import os, time
for number in range(200):
    with open(f"{os.environ['SIGHTLINE_ARTIFACT_DIR']}/{number}", "wb") as stream:
        stream.write(bytes(1 << 20))
    time.sleep(0.02)
"""
    outcome = any_kind.run(script=script, output_bytes=10 * MB).outcome
    assert outcome.ending is Ending.OUTPUT_QUOTA
    assert outcome.reason == "killed: it wrote more than its 10.0 MB of output"


def test_output_quota_of_the_last_moment(any_kind: Harness) -> None:
    script = "open('big', 'wb').write(bytes(11 << 20))"
    assert any_kind.run(script=script, output_bytes=10 * MB).outcome.ending is Ending.OUTPUT_QUOTA


def test_output_quota_counts_deleted_and_hidden_files(any_kind: Harness) -> None:
    deleted = """
import time
stream = open("big", "wb")
import os; os.unlink("big")
for _ in range(30):
    stream.write(bytes(1 << 20)); stream.flush()
time.sleep(5)
"""
    hidden = """
import os, time
os.mkdir("closed")
open("closed/big", "wb").write(bytes(11 << 20))
os.chmod("closed", 0)
time.sleep(5)
"""
    for script in (deleted, hidden):
        outcome = any_kind.run(script=script, output_bytes=10 * MB).outcome
        assert outcome.ending is Ending.OUTPUT_QUOTA
        assert outcome.wall_s < 4


def test_what_lay_there_before_does_not_count(any_kind: Harness) -> None:
    job = any_kind.job()
    (job.folders.code / "weights").write_bytes(bytes(11 * MB))
    outcome = any_kind.run(script="print('ok')", output_bytes=10 * MB).outcome
    assert outcome.ending is Ending.SUCCEEDED


def test_a_fork_bomb_is_bounded(any_kind: Harness) -> None:
    mark = f"bomb-{os.getpid()}-{any_kind.kind}"
    script = """
import os, time
def bomb():
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
        except OSError:
            time.sleep(0.05)
bomb()
"""
    result = any_kind.run(script=script, processes=40, time_s=1.0, grace_s=0.2, variables={"MARK": mark})
    assert result.outcome.ending in (Ending.TIME_LIMIT, Ending.FAILED)
    assert result.outcome.wall_s < 10
    assert find_marked(mark) == []


def test_processors(any_kind: Harness) -> None:
    script = "import os; print(len(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'])"
    assert any_kind.run(script=script, cpus=1).text() == ["1 1"]
    have = len(os.sched_getaffinity(0))
    assert any_kind.run(script=script, cpus=1000).text() == [f"{have} {have}"]


def test_no_core_dumps(any_kind: Harness) -> None:
    script = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    assert any_kind.run(script=script).text() == ["(1, 1)"]


def test_killing_the_supervisor_kills_the_job(any_kind: Harness) -> None:
    mark = f"orphan-{os.getpid()}-{any_kind.kind}"
    script = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("running", flush=True)
        time.sleep(60)
time.sleep(60)
"""
    job = any_kind.job(script=script, variables={"MARK": mark})
    supervisor = start_helper()
    assert supervisor.stdin is not None
    assert supervisor.stdout is not None
    supervisor.stdin.write(any_kind.order(job) + "\n")
    supervisor.stdin.close()
    assert "running" in supervisor.stdout.readline()
    assert len(find_marked(mark)) >= 3
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    until = time.monotonic() + 5
    while find_marked(mark) and time.monotonic() < until:
        time.sleep(0.02)
    assert find_marked(mark) == []


def test_control_groups_are_removed(any_kind: Harness) -> None:
    any_kind.run("true")
    mine = f"sightline-{os.getpid()}-*"
    left = [path for parent in set(find_parents()[0].values()) for path in Path(parent).glob(mine)]
    assert left == []
