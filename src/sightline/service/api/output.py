"""``/experiments/{experiment}/logs``, ``metrics`` and ``artifacts``: what a job said and left."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from sightline.client.wire import MAX_INT, Artifact, Page, ReleaseState, StoredLogLine, StoredMetricPoint
from sightline.service.api import present
from sightline.service.api.call import CallDep, PagingDep, require
from sightline.service.api.files import ObjectResponse
from sightline.service.domain.permissions import may_review
from sightline.service.store import artifacts, experiments, output

router = APIRouter(prefix="/experiments/{experiment}", tags=["experiments"])

After = Annotated[int, Query(ge=0, le=MAX_INT)]
Limit = Annotated[int, Query(ge=1, le=10_000)]


@router.get("/logs")
def list_logs(experiment: str, call: CallDep, after: After = 0, limit: Limit = 1000) -> Page[StoredLogLine]:
    """Log lines with ids above ``after``; ``count`` is how many there are in all."""
    with call.core.database.read() as session:
        row = experiments.visible(session, experiment, call.actor)
        lines = output.logs(session, row.id, after, limit)
        return Page(count=output.log_count(session, row.id), data=[present.log_line(line) for line in lines])


@router.get("/metrics")
def list_metrics(
    experiment: str, call: CallDep, after: After = 0, limit: Limit = 1000
) -> Page[StoredMetricPoint]:
    """Metric points with ids above ``after``; ``count`` is how many there are in all."""
    with call.core.database.read() as session:
        row = experiments.visible(session, experiment, call.actor)
        points = [present.metric_point(point) for point in output.metrics(session, row.id, after, limit)]
        return Page(count=output.metric_count(session, row.id), data=points)


@router.get("/artifacts")
def list_artifacts(experiment: str, call: CallDep, paging: PagingDep) -> Page[Artifact]:
    """Paths, sizes and hashes of what the job left; also before it is released."""
    with call.core.database.read() as session:
        row = experiments.visible(session, experiment, call.actor)
        count, rows = artifacts.page(session, row.id, paging)
        return Page(count=count, data=[present.artifact(artifact) for artifact in rows])


@router.get("/artifacts/{path:path}", response_class=Response)
def download_artifact(experiment: str, path: str, call: CallDep) -> Response:
    """One artifact's bytes, once released; those who decide about that may look before. ``Range`` works."""
    with call.core.database.read() as session:
        row = experiments.visible(session, experiment, call.actor)
        released = row.release.state is ReleaseState.APPROVED
        require(released or may_review(call.actor, row.parties), f"Not released: {row.release.reason}")
        artifact = artifacts.find(session, row.id, path)
        return ObjectResponse(call.core.objects, artifact.sha256, path.rsplit("/", 1)[-1])
