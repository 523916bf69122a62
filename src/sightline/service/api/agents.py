"""``/agent``: the calls of agents. Every one about a job is made under the lease of that job."""

import asyncio
import secrets
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from sightline.client.wire import (
    Acknowledged,
    Artifact,
    Heartbeat,
    JobDataset,
    JobTrainer,
    Lease,
    LeaseRequest,
    LogBatch,
    MetricBatch,
    State,
    StateReport,
)
from sightline.service.api.call import Call, CallDep
from sightline.service.api.files import ObjectResponse, receive_upload
from sightline.service.domain.refusals import NotFoundError
from sightline.service.store import artifacts, environments, leases, output
from sightline.service.store.datasets import policy_of
from sightline.service.store.tables import LeaseRow
from sightline.service.wakeups import JOBS, experiment_topic

router = APIRouter(prefix="/agent", tags=["agents"])

Token = Annotated[str, Header(alias="Lease-Token", max_length=200)]
_SHA256 = r"^[0-9a-f]{64}$"


@router.post("/leases", responses={204: {"description": "No job turned up."}})
async def lease(request: LeaseRequest, call: CallDep, connection: Request) -> Lease:
    """The job that waits longest for such an agent; waits up to ``wait_s`` seconds for one, then 204."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + request.wait_s
    with call.core.wakeups.subscribe(JOBS) as subscription:
        while not subscription.closing and not await connection.is_disconnected():
            subscription.clear()
            granted = await run_in_threadpool(_grant, call, request)
            if granted is not None:
                call.core.wakeups.notify(experiment_topic(granted.experiment_id))
                return granted
            left = deadline - clock()
            if left <= 0:
                break
            await subscription.wait(min(left, call.core.settings.poll_s))
    return Response(status_code=204)  # type: ignore[return-value]


@router.post("/jobs/{experiment}/heartbeat")
def heartbeat(experiment: str, call: CallDep, lease_token: Token) -> Heartbeat:
    """Keep the lease; says whether the job is to be stopped."""
    now = call.core.now()
    with call.core.database.write() as session:
        held = leases.held(session, experiment, lease_token, call.actor, now)
        leases.extend(held, call.core.terms, now)
        return _heartbeat(held)


@router.post("/jobs/{experiment}/state")
def report_state(experiment: str, request: StateReport, call: CallDep, lease_token: Token) -> Heartbeat:
    """Say what state the job is in; ``succeeded``, ``failed`` and ``cancelled`` end the lease."""
    core = call.core
    with core.database.write() as session:
        held, changed = leases.report(
            session, experiment, lease_token, call.actor, request, core.terms, core.now()
        )
        answer = _heartbeat(held)
    if changed:
        core.wakeups.notify(experiment_topic(experiment))
    if request.state is State.QUEUED:
        core.wakeups.notify(JOBS)
    return answer


@router.post("/jobs/{experiment}/logs")
def send_logs(experiment: str, request: LogBatch, call: CallDep, lease_token: Token) -> Acknowledged:
    """Store log lines. The answer comes after they are on the disk; a line sent twice is stored once."""
    core, now = call.core, call.core.now()
    with core.database.write() as session:
        held = leases.held(session, experiment, lease_token, call.actor, now)
        seq = output.append_logs(session, held, request.lines, core.clamp, now)
    core.wakeups.notify(experiment_topic(experiment))
    return Acknowledged(seq=seq)


@router.post("/jobs/{experiment}/metrics")
def send_metrics(experiment: str, request: MetricBatch, call: CallDep, lease_token: Token) -> Acknowledged:
    """Store metric points, as ``logs`` does lines."""
    core, now = call.core, call.core.now()
    with core.database.write() as session:
        held = leases.held(session, experiment, lease_token, call.actor, now)
        seq = output.append_metrics(session, held, request.points, core.clamp, now)
    core.wakeups.notify(experiment_topic(experiment))
    return Acknowledged(seq=seq)


@router.get("/jobs/{experiment}/dataset", response_class=Response)
def download_dataset(
    experiment: str, call: CallDep, lease_token: Token, source: Annotated[int, Query(ge=0)] = 0
) -> Response:
    """An archive that the job's data is made of, ``source`` as numbered in the lease. This is the only way
    in which hidden data leaves the store."""
    with call.core.database.read() as session:
        held = leases.held(session, experiment, lease_token, call.actor, call.core.now(), lock=False)
        if source >= len(held.experiment.sources):
            raise NotFoundError(f"The job has {len(held.experiment.sources)} sources, counted from 0.")
        _, archive = held.experiment.sources[source].held
        return ObjectResponse(call.core.objects, archive.sha256, "dataset.zip")


@router.get("/jobs/{experiment}/trainer", response_class=Response)
def download_trainer(experiment: str, call: CallDep, lease_token: Token) -> Response:
    """The trainer package that the job runs."""
    with call.core.database.read() as session:
        held = leases.held(session, experiment, lease_token, call.actor, call.core.now(), lock=False)
        return ObjectResponse(call.core.objects, held.experiment.trainer.sha256, "trainer.zip")


@router.put(
    "/jobs/{experiment}/artifacts/{path:path}",
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}}},
)
async def put_artifact(
    experiment: str,
    path: str,
    call: CallDep,
    request: Request,
    lease_token: Token,
    content_sha256: Annotated[str, Header(alias="Content-SHA256", pattern=_SHA256)],
) -> Artifact:
    """Store a file that the job left, whole or not at all; 413 beyond the environment's output quota."""
    objects, upload_id = call.core.objects, secrets.token_hex(8)
    artifacts.check_path(path)
    quota = await run_in_threadpool(_quota, call, experiment, lease_token)
    try:
        await receive_upload(request, objects, upload_id, 0, quota, f"Artifact '{path}'")
        return await run_in_threadpool(
            _keep_artifact, call, experiment, lease_token, upload_id, path, content_sha256
        )
    finally:
        objects.discard(upload_id)


def _grant(call: Call, request: LeaseRequest) -> Lease | None:
    core = call.core
    agent = leases.Agent(call.actor, request.agent, request.sandboxes)
    with core.database.read() as session:
        # Most calls find nothing; they need not wait for the write lock to learn that.
        if not leases.any_queued(session):
            return None
    with core.database.write() as session:
        granted = leases.grant(session, agent, core.terms, core.now())
        if granted is None:
            return None
        row, token = granted
        experiment = row.experiment
        return Lease(
            token=token,
            heartbeat_s=core.settings.heartbeat_s,
            lease_s=core.settings.lease_s,
            expires_at=row.expires_at,
            experiment_id=experiment.id,
            name=experiment.name,
            attempt=experiment.attempt,
            command=experiment.command,
            datasets=[
                JobDataset(
                    name=dataset.name,
                    version=archive.version,
                    variant=archive.variant,
                    sha256=archive.sha256,
                    size_bytes=archive.size_bytes,
                    policy=policy_of(dataset),
                )
                for dataset, archive in (source.held for source in experiment.sources)
            ],
            recipe=experiment.recipe,
            trainer=JobTrainer(
                id=experiment.trainer_id,
                sha256=experiment.trainer.sha256,
                size_bytes=experiment.trainer.size_bytes,
            ),
            environment=environments.to_wire(experiment.environment),
        )


def _heartbeat(lease: LeaseRow) -> Heartbeat:
    cancel = lease.experiment.cancel_requested and not lease.experiment.state.ended
    return Heartbeat(cancel=cancel, expires_at=lease.expires_at)


def _quota(call: Call, experiment: str, token: str) -> int:
    with call.core.database.read() as session:
        held = leases.held(session, experiment, token, call.actor, call.core.now(), lock=False)
        return held.experiment.environment.output_quota_bytes


def _keep_artifact(
    call: Call, experiment: str, token: str, upload_id: str, path: str, sha256: str
) -> Artifact:
    core = call.core
    arrived = core.objects.verify(upload_id, sha256)
    artifact = Artifact(path=path, size_bytes=arrived.size_bytes, sha256=sha256)
    with core.database.write() as session:
        held = leases.held(session, experiment, token, call.actor, core.now())
        quota = held.experiment.environment.output_quota_bytes
        artifacts.check_limits(
            session, experiment, path, arrived.size_bytes, core.settings.max_artifacts, quota
        )
        artifacts.put(session, experiment, artifact)
        core.objects.keep(arrived)
    return artifact
