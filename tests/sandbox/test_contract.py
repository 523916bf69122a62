from pathlib import Path

from sightline.sandbox import Job, JobFolders, Limits, PythonEnvironment
from sightline.sandbox.contract import plan_job
from sightline.sandbox.plan import Mount, without_repeats

LIMITS = Limits(time_s=1, memory_bytes=1 << 20, output_bytes=1 << 20, cpus=2)


def make_job(root: Path, **changes: object) -> Job:
    dataset = root / "dataset"
    dataset.mkdir()
    python = PythonEnvironment(Path("/usr/bin/python3"))
    given = {"gpus": (), "argv": ("python", "train.py")} | changes
    return Job(
        "1", folders=JobFolders.create(root / "job"), dataset=dataset, python=python, limits=LIMITS, **given
    )  # type: ignore[arg-type]


def test_python_means_the_interpreter_of_the_environment(tmp_path: Path) -> None:
    plan = plan_job(make_job(tmp_path), cpus=2, isolated=True)
    assert plan.command == ("/usr/bin/python3", "train.py")
    assert plan.variables["OMP_NUM_THREADS"] == "2"
    assert plan.variables["PATH"].split(":")[0] == "/usr/bin"


def test_gpus_are_named_and_nothing_else_is(tmp_path: Path) -> None:
    plan = plan_job(make_job(tmp_path, gpus=("0", "2")), cpus=1, isolated=True)
    assert plan.variables["CUDA_VISIBLE_DEVICES"] == "0,2"
    assert plan.variables["SM_NUM_GPUS"] == "2"
    assert plan.gpus


def test_without_gpus_no_device_of_one_is_shown(tmp_path: Path) -> None:
    plan = plan_job(make_job(tmp_path), cpus=1, isolated=True)
    assert plan.variables["CUDA_VISIBLE_DEVICES"] == ""
    assert not [mount for mount in plan.mounts if mount.kind == "device"]


def test_only_the_jobs_own_folders_are_writable(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    writable = [mount for mount in plan_job(job, cpus=1, isolated=True).mounts if mount.writable]
    assert {mount.target for mount in writable} == {
        "/opt/ml/code",
        "/opt/ml/model",
        "/opt/ml/checkpoints",
        "/opt/ml/output",
        "/opt/ml/output/data",
        "/opt/ml/output/run",
    }
    assert all(Path(mount.source).is_relative_to(job.folders.root) for mount in writable)


def test_a_bind_that_shows_nothing_new_is_left_out() -> None:
    usr = Mount("bind", "/usr", "/usr")
    same, other = Mount("bind", "/usr/lib", "/usr/lib"), Mount("bind", "/usr/lib", "/elsewhere")
    writable = Mount("bind", "/usr/lib", "/usr/lib", writable=True)
    assert without_repeats([usr, same, other, writable]) == [usr, other, writable]
