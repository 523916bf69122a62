"""A real job tries to get out, under every back end that promises to keep it in."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.harness import NAMESPACE_KINDS, Helper, made

SCRIPT = Path(__file__).with_name("hostile_job.py").read_text()

REFUSED = [
    "tcp to the host",
    "tcp outside",
    "udp outside",
    "name",
    "ipv6",
    "metadata address",
    "unix socket of the host",
    "abstract socket of the host",
    "vsock to the hypervisor",
    "raw packets",
    "raise an interface",
    "new file in the dataset",
    "change the dataset",
    "delete from the dataset",
    "chmod in the dataset",
    "remount the dataset",
    "unmount the dataset",
    "secret of the host",
    "shadow",
    "write to /",
    "write to /usr",
    "write to /etc",
    "write to /opt",
    "write to /opt/ml",
    "write to /opt/ml/input",
    "write to /proc/sys/kernel",
    "write kernel settings",
    "system request",
    "physical memory",
    "kernel messages",
    "first process's memory",
    "first process's root",
    "first process's descriptors",
    "link in place of outputs",
    "become root",
    "become root by setresuid",
    "mount",
    "new user namespace",
    "new user namespace by clone",
    "trace the first process",
    "chroot",
    "device node",
    "load a kernel program",
    "kernel keys",
    "io_uring",
    "type into a terminal",
    "controlling terminal",
]
ALLOWED = [
    "shared memory",
    "multiprocessing",
    "own loopback",
    "write to MODEL",
    "write to CHECKPOINT",
    "write to ARTIFACT",
    "write to RUN",
    "write beside the code",
    "write to home",
    "subprocess",
]


@pytest.fixture(scope="module", params=NAMESPACE_KINDS)
def attempts(request: pytest.FixtureRequest, helper: Helper) -> Iterator[dict[str, Any]]:
    """What one job managed to do; the host offers it all that it looks for."""
    with made(request.param, helper) as harness:
        secret = harness.root / "secret.txt"
        secret.write_text("the owner's data")
        unix_path, abstract = str(harness.root / "socket"), f"sightline-test-{os.getpid()}"
        with (
            socket.create_server(("127.0.0.1", 0)) as tcp,
            socket.socket(socket.AF_UNIX) as by_path,
            socket.socket(socket.AF_UNIX) as by_name,
        ):
            by_path.bind(unix_path)
            by_path.listen()
            by_name.bind(f"\0{abstract}")
            by_name.listen()
            given = {
                "tcp_port": tcp.getsockname()[1],
                "unix_socket": unix_path,
                "abstract_socket": abstract,
                "secret": str(secret),
            }
            os.environ["SECRET_OF_THE_HOST"] = "1"
            try:
                result = harness.run(json.dumps(given), script=SCRIPT)
            finally:
                del os.environ["SECRET_OF_THE_HOST"]
        assert result.outcome.reason == "the command succeeded", result.text("stderr")
        found = json.loads(result.text()[-1])
        found["model"] = (harness.folders.model / "result.txt").read_text()
        found["dataset"] = sorted(path.name for path in harness.dataset.iterdir())
        yield found


@pytest.mark.parametrize("what", REFUSED)
def test_is_refused(attempts: dict[str, Any], what: str) -> None:
    assert attempts[what].startswith("refused"), attempts[what]


@pytest.mark.parametrize("what", ALLOWED)
def test_works(attempts: dict[str, Any], what: str) -> None:
    assert attempts[what].startswith("worked"), attempts[what]


def test_every_attempt_is_judged(attempts: dict[str, Any]) -> None:
    known = {*REFUSED, *ALLOWED, "facts", "model", "dataset", "kill the first process", "write to /dev"}
    known.add("read the first process's memory")
    assert {name for name in attempts if not name.startswith("files in")} == known


def test_sees_no_files_of_the_host(attempts: dict[str, Any]) -> None:
    for folder in ("/root", "/home", "/var", "/run", "/srv", "/mnt", "/boot"):
        answer = attempts[f"files in {folder}"]
        assert answer.startswith("refused") or answer == "worked: []", (folder, answer)


def test_has_no_privileges(attempts: dict[str, Any]) -> None:
    facts = attempts["facts"]
    assert facts["uid"] == 1000
    assert int(facts["capabilities"], 16) == int(facts["permitted"], 16) == 0
    assert facts["no new privileges"] == "1"
    assert facts["filter"] == "2"


def test_sees_only_its_own_processes(attempts: dict[str, Any]) -> None:
    assert attempts["facts"]["processes"][:2] == [1, 2]
    assert len(attempts["facts"]["processes"]) <= 4


def test_inherits_nothing(attempts: dict[str, Any]) -> None:
    facts = attempts["facts"]
    assert facts["descriptors"] == ["/dev/null", "pipe", "pipe"]
    assert facts["more descriptors"] == []
    assert facts["session leader"]
    assert facts["host"] == "sightline-job"
    # Where Sightline itself lies below /tmp, its folder's name is there too, for the mount.
    own = {path.parts[2] for path in (Path(__file__), Path(sys.executable)) if path.parts[1] == "tmp"}
    assert set(facts["tmp"]) <= {"home"} | own, "its /tmp is private"


def test_its_environment_is_the_contract_and_nothing_else(attempts: dict[str, Any]) -> None:
    variables = attempts["facts"]["variables"]
    assert set(variables) == {
        *("CUDA_VISIBLE_DEVICES", "HAFNIA_CLOUD", "HOME", "LANG", "LOGNAME", "USER", "TMPDIR", "PATH"),
        *("MDI_ARTIFACT_DIR", "MDI_CHECKPOINT_DIR", "MDI_DATASET_DIR", "MDI_MODEL_DIR"),
        *(
            "MLFLOW_ALLOW_FILE_STORE",
            "MLFLOW_TRACKING_URI",
            "OMP_NUM_THREADS",
            "OMP_WAIT_POLICY",
            "PYTHONUNBUFFERED",
            "SIGHTLINE_ARTIFACT_DIR",
        ),
        *("SIGHTLINE_CHECKPOINT_DIR", "SIGHTLINE_DATASET_DIR", "SIGHTLINE_JOB", "SIGHTLINE_MODEL_DIR"),
        *("SIGHTLINE_RUN_DIR", "SM_CHANNEL_TRAINING", "SM_MODEL_DIR", "SM_NUM_GPUS", "SM_OUTPUT_DATA_DIR"),
    }
    assert variables["SIGHTLINE_DATASET_DIR"] == variables["MDI_DATASET_DIR"] == "/opt/ml/input/data/training"
    assert variables["SM_MODEL_DIR"] == "/opt/ml/model"
    assert variables["HOME"] == "/tmp/home"
    assert attempts["facts"]["folder"] == "/opt/ml/code"


def test_the_dataset_is_mounted_as_promised(attempts: dict[str, Any]) -> None:
    assert {"ro", "nosuid", "nodev"} <= set(attempts["facts"]["dataset options"].split(","))
    assert attempts["dataset"] == ["image.txt"]


def test_its_outputs_are_ours_to_read(attempts: dict[str, Any]) -> None:
    assert attempts["model"] == "x"
