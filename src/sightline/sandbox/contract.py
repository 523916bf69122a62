"""The job contract: which paths a job finds, and the variables that name them."""

from dataclasses import dataclass
from pathlib import Path

from sightline.job_contract import FOLDERS, SIGNS
from sightline.sandbox.job import Job, JobFolders
from sightline.sandbox.plan import Mount, Plan, read_only, without_repeats
from sightline.sandbox.rootfs import base_mounts, gpu_mounts

_ML = "/opt/ml"
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class ContractPaths:
    """The contract's places, as the job sees them."""

    code: str
    dataset: str
    model: str
    checkpoints: str
    artifacts: str
    run: str
    home: str
    temporary: str


ISOLATED_PATHS = ContractPaths(
    code=f"{_ML}/code",
    dataset=f"{_ML}/input/data/training",
    model=f"{_ML}/model",
    checkpoints=f"{_ML}/checkpoints",
    artifacts=f"{_ML}/output/data",
    run=f"{_ML}/output/run",
    home="/tmp/home",  # noqa: S108 - the sandbox's own
    temporary="/tmp",  # noqa: S108
)


def host_paths(folders: JobFolders, dataset: Path) -> ContractPaths:
    """The contract's places where nothing is mounted: the host's own folders."""
    return ContractPaths(
        code=str(folders.code),
        dataset=str(dataset.resolve()),
        model=str(folders.model),
        checkpoints=str(folders.checkpoints),
        artifacts=str(folders.artifacts),
        run=str(folders.run),
        home=str(folders.root / "home"),
        temporary=str(folders.root / "tmp"),
    )


def contract_variables(job: Job, paths: ContractPaths, cpus: int) -> dict[str, str]:
    """The whole environment of a job: nothing of the host's own comes along, so no credential does."""
    python_path = [str(path) for path in job.python.python_path]
    if (job.folders.code / "src").is_dir():
        python_path.insert(0, f"{paths.code}/src")
    defaults = {
        "LANG": "C.UTF-8",
        "LOGNAME": "job",
        "OMP_NUM_THREADS": str(cpus),
        # Threads that spin while they wait make training many times slower where others use the CPUs too.
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONUNBUFFERED": "1",
        "USER": "job",
    }
    fixed = {
        **SIGNS,
        **{name: getattr(paths, role) for role, names in FOLDERS.items() for name in names},
        "CUDA_VISIBLE_DEVICES": ",".join(job.gpus),
        "HOME": paths.home,
        "MLFLOW_ALLOW_FILE_STORE": "true",  # MLflow 3.7 and later refuse a file store without it
        "MLFLOW_TRACKING_URI": f"file://{paths.run}/mlruns",
        "PATH": f"{job.python.interpreter.parent}:{_SYSTEM_PATH}",
        "SM_NUM_GPUS": str(len(job.gpus)),
        "TMPDIR": paths.temporary,
    }
    if python_path:
        fixed["PYTHONPATH"] = ":".join(python_path)
    return {**defaults, **job.variables, **fixed}


def plan_job(job: Job, cpus: int, isolated: bool) -> Plan:
    """The plan that fulfils the contract for ``job`` on ``cpus`` processors."""
    folders = job.folders
    paths = ISOLATED_PATHS if isolated else host_paths(folders, job.dataset)
    command = job.argv
    if command[0] in ("python", "python3"):
        command = (str(job.python.interpreter), *command[1:])
    return Plan(
        command=command,
        folder=paths.code,
        variables=contract_variables(job, paths, cpus),
        interpreter=job.python.base,
        mounts=tuple(_mounts(job)) if isolated else (),
        make_folders=(paths.home, paths.temporary),
        counted=(folders.code, folders.model, folders.checkpoints, folders.output)
        + (() if isolated else (Path(paths.home), Path(paths.temporary))),
        failure=folders.failure,
        gpus=bool(job.gpus),
    )


def _mounts(job: Job) -> list[Mount]:
    folders, paths = job.folders, ISOLATED_PATHS
    writable = {
        paths.code: folders.code,
        paths.model: folders.model,
        paths.checkpoints: folders.checkpoints,
        f"{_ML}/output": folders.output,
        # Mount points of their own, so that the job cannot put a link in their place.
        paths.artifacts: folders.artifacts,
        paths.run: folders.run,
    }
    return [
        *without_repeats([*base_mounts(job.limits.memory_bytes), *map(read_only, job.python.paths)]),
        *gpu_mounts(job.gpus),
        read_only(job.dataset, Path(paths.dataset)),
        *(Mount("bind", target, str(path.resolve()), writable=True) for target, path in writable.items()),
    ]
