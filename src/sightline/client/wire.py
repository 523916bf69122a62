"""What travels between client, service and agent: the one definition of every request and answer.

The service validates with these models and the client parses with them, so that a change on one side
cannot be missed on the other. Times are UTC, sizes are bytes, durations are seconds.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

API_PREFIX = "/api/v1"
LEASE_HEADER = "Lease-Token"
OFFSET_HEADER = "Upload-Offset"
HASH_HEADER = "Content-SHA256"
MAX_INT = 2**63 - 1  # the largest whole number that every database holds

T = TypeVar("T")
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Wire(BaseModel):
    """Base of all messages. An answer may grow fields that an older client does not know."""

    model_config = ConfigDict(frozen=True)


class Request(Wire):
    """Base of all that is sent to the service: an unknown field is an error, not a silence."""

    model_config = ConfigDict(extra="forbid")


class Page(Wire, Generic[T]):
    """A list: ``count`` is how many there are in all, ``data`` the ones on this page."""

    count: int
    data: list[T]


class Problem(Wire):
    """Body of every answer with an error status: one sentence that says what to do."""

    detail: str


class Health(Wire):
    status: Literal["ok"] = "ok"
    version: str


# --- who -------------------------------------------------------------------------------------------


class Role(StrEnum):
    """``developer`` submits trainers, ``owner`` publishes datasets (and may do what a developer may),
    ``admin`` manages users, ``agent`` runs jobs and may do nothing else."""

    DEVELOPER = "developer"
    OWNER = "owner"
    ADMIN = "admin"
    AGENT = "agent"


class User(Wire):
    id: str
    name: str
    role: Role
    created_at: datetime


class UserCreate(Request):
    name: Name
    role: Role


class UserCreated(Wire):
    """The only answer that ever holds an API key; the service keeps its hash."""

    user: User
    api_key: str


# --- datasets --------------------------------------------------------------------------------------


class Variant(StrEnum):
    SAMPLE = "sample"
    HIDDEN = "hidden"


class ReleaseRule(StrEnum):
    """``auto``: artifacts within the limits are released when the job succeeds. ``owner``: the dataset's
    owner (never the author of the experiment) decides."""

    AUTO = "auto"
    OWNER = "owner"


class Policy(Request):
    """What a data owner allows to happen with the hidden variant of a dataset."""

    release: ReleaseRule = ReleaseRule.OWNER
    allow_process_sandbox: bool = False
    max_release_bytes: int = Field(default=1 << 30, gt=0, le=MAX_INT)


class DatasetVariant(Wire):
    variant_type: Variant
    version: str
    number_of_data_items: int
    size_bytes: int
    sha256: Sha256
    created_at: datetime


class DatasetCreate(Request):
    name: Name
    title: str = ""
    overview: str = ""
    policy: Policy = Policy()


class DatasetOut(Wire):
    """``dataset_variants`` lists the newest version of each variant; ``info`` is the sample's
    ``dataset_info.json`` (tasks, classes), absent in listings."""

    id: str
    name: str
    title: str
    overview: str
    owner: str
    version: str | None
    policy: Policy
    created_at: datetime
    dataset_variants: list[DatasetVariant]
    info: dict[str, Any] | None = None


class UploadCreate(Request):
    """Announces an archive. Announcing the same one again resumes where it broke off."""

    variant: Variant
    version: str = Field(pattern=r"^[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}$")
    sha256: Sha256
    size_bytes: int = Field(gt=0, le=MAX_INT)


class Upload(Wire):
    """``offset`` bytes have arrived so far."""

    id: str
    offset: int
    size_bytes: int


class DatasetRecipeTemplate(Request):
    """``body``: a dataset's name (``digits`` or ``digits:1.0.0``), or a recipe in JSON."""

    body: str | dict[str, Any]


class DatasetRecipeCreate(Request):
    name: Name
    template: DatasetRecipeTemplate
    overwrite: bool = False


class DatasetRecipeOut(Wire):
    id: str
    name: str
    created_at: datetime
    template: DatasetRecipeTemplate


# --- trainers and environments ---------------------------------------------------------------------


class TrainerOut(Wire):
    id: str
    name: str
    description: str
    default_command: str
    author: str
    sha256: Sha256
    size_bytes: int
    created_at: datetime


class TrainerPatch(Request):
    name: Name | None = None
    description: str | None = None
    default_command: str | None = None


class Environment(Wire):
    """A tier of compute on offer. Memory figures are bytes; ``time_limit_s`` is wall clock."""

    id: str
    name: str
    order: int
    instance: str
    cpu: str
    cpu_count: int = Field(gt=0)
    ram: int = Field(gt=0)
    gpu: str | None = None
    gpu_count: int = Field(default=0, ge=0)
    vram: int | None = None
    time_limit_s: float = Field(gt=0)
    output_quota_bytes: int = Field(gt=0)


# --- experiments -----------------------------------------------------------------------------------


class State(StrEnum):
    CREATED = "created"
    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    COLLECTING = "collecting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the experiment will never change state again."""
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class ExperimentCreate(Request):
    """Name exactly one of ``dataset`` (``digits`` or ``digits:1.0.0``) and ``dataset_recipe`` (an id)."""

    name: Name
    trainer: str
    dataset: str | None = None
    dataset_recipe: str | None = None
    command: str = Field(min_length=1, max_length=4000)
    environment: str | None = None


class StateChange(Wire):
    at: datetime
    state: State
    reason: str


class ReleaseState(StrEnum):
    NONE = "none"  # nothing to release yet
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class ReleaseOut(Wire):
    state: ReleaseState
    reason: str
    decided_by: str | None = None
    decided_at: datetime | None = None


class ReleaseDecision(Request):
    decision: Literal["approve", "reject"]
    reason: str = Field(default="", max_length=1000)


class ExperimentOut(Wire):
    """``trainer``, ``dataset`` and ``environment`` are names; ``datasets`` lists all that a recipe takes
    samples of, as ``digits:1.0.0``, and ``dataset`` is the first. ``dataset_variant`` says what the job
    trains on: ``sample`` where the dataset has no hidden data. ``attempt`` is 0 until an agent takes it."""

    id: str
    name: str
    state: State
    reason: str
    attempt: int
    author: str
    trainer: str
    trainer_id: str = ""
    dataset: str
    dataset_version: str
    datasets: list[str] = []
    dataset_variant: Variant | None = None
    dataset_recipe: str | None
    command: str
    environment: str
    description: str = ""
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    release: ReleaseOut
    history: list[StateChange] = []


class LogStream(StrEnum):
    STDOUT = "stdout"
    STDERR = "stderr"
    SYSTEM = "system"  # what the agent and the sandbox say about the job


class LogLine(Request):
    """One line of a job. ``seq`` counts from 0 within an attempt; sending a line again changes nothing."""

    seq: int = Field(ge=0, le=MAX_INT)
    at: AwareDatetime
    stream: LogStream
    text: str


class StoredLogLine(LogLine):
    """``id`` grows over all lines of an experiment, so that a reader can go on after the last one."""

    id: int
    attempt: int


class MetricPoint(Request):
    """``value`` is null for NaN and infinities."""

    seq: int = Field(ge=0, le=MAX_INT)
    at: AwareDatetime
    name: str = Field(min_length=1, max_length=200)
    kind: Literal["scalar", "metric"]
    value: float | None = Field(allow_inf_nan=False)
    step: int = Field(ge=-MAX_INT, le=MAX_INT)


class StoredMetricPoint(MetricPoint):
    id: int
    attempt: int


class Artifact(Wire):
    """A file that a job left. ``path`` is relative, its first part one of ``model``, ``checkpoints``,
    ``data`` and ``run``."""

    path: str
    size_bytes: int
    sha256: Sha256


# --- agents ----------------------------------------------------------------------------------------


class LeaseRequest(Request):
    """``sandboxes``: the back ends this agent offers; ``wait_s``: how long to wait for a job to turn up."""

    agent: Name
    sandboxes: list[Literal["docker", "namespace", "process"]]
    wait_s: float = Field(default=0, ge=0, le=60)


class JobDataset(Wire):
    name: str
    version: str
    variant: Variant = Variant.HIDDEN
    sha256: Sha256
    size_bytes: int
    policy: Policy


class JobTrainer(Wire):
    id: str
    sha256: Sha256
    size_bytes: int


class Lease(Wire):
    """One attempt at one experiment, on its one dataset, or on what ``recipe`` makes of its datasets.

    Calls about it carry ``token`` in the ``Lease-Token`` header; the service answers 409 once the lease is
    no longer this agent's, and the agent then kills the job. An agent that has not reached the service for
    ``lease_s`` kills it too: somebody else may run it by now."""

    token: str
    heartbeat_s: float
    lease_s: float
    expires_at: datetime
    experiment_id: str
    name: str
    attempt: int
    command: str
    datasets: list[JobDataset] = Field(min_length=1)
    recipe: dict[str, Any] | None
    trainer: JobTrainer
    environment: Environment


class Heartbeat(Wire):
    """``cancel``: somebody asked to stop the job."""

    cancel: bool
    expires_at: datetime


class StateReport(Request):
    state: State
    reason: str = Field(min_length=1, max_length=2000)
    exit_code: int | None = Field(default=None, ge=-(2**31), lt=2**31)


class LogBatch(Request):
    lines: list[LogLine] = Field(max_length=5000)


class MetricBatch(Request):
    points: list[MetricPoint] = Field(max_length=5000)


class Acknowledged(Wire):
    """Everything up to and including ``seq`` is stored; -1: nothing yet."""

    seq: int
