"""The calls that only agents make: leasing a job, and everything done under the lease."""

from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from sightline.client.resumable_download import PATIENCE_S, Progress, download
from sightline.client.transport import Transport
from sightline.client.wire import (
    HASH_HEADER,
    LEASE_HEADER,
    Acknowledged,
    Artifact,
    Heartbeat,
    Lease,
    LeaseRequest,
    LogBatch,
    MetricBatch,
    Request,
    StateReport,
)
from sightline.files import sha256_file

T = TypeVar("T")

_STORING_S = 300.0  # the service may take so long to store a large file after its last byte came


class AgentCalls:
    """Calls under a lease raise `ServiceError` with status 409 once the lease is lost.

    All reports carry sequence numbers or absolute states, so they are sent again after a broken
    connection without harm.
    """

    transport: Transport

    def lease(self, request: LeaseRequest) -> Lease | None:
        """Wait up to ``request.wait_s`` seconds for a job; None where there is none."""
        response = self.transport.request(
            "POST",
            "/agent/leases",
            json=request.model_dump(mode="json"),
            timeout=self.transport.timeout(longer_by=request.wait_s),
        )
        if response.status_code == HTTPStatus.NO_CONTENT:
            return None
        return self.transport.parsed(Lease, response)

    def heartbeat(self, lease: Lease) -> Heartbeat:
        """Keep the lease; the answer says whether somebody asked to cancel the job.

        It waits for the answer no longer than until the next one is due, and is not sent again: the next
        one does that.
        """
        return self.transport.send(
            "POST",
            _job(lease, "heartbeat"),
            Heartbeat,
            retry=False,
            headers=_token(lease),
            timeout=self.transport.timeout(read=lease.heartbeat_s),
        )

    def report_state(self, lease: Lease, report: StateReport) -> Heartbeat:
        """Move the experiment to ``report.state``; a final state ends the lease."""
        return self._report(lease, "state", report, Heartbeat)

    def send_logs(self, lease: Lease, batch: LogBatch) -> Acknowledged:
        """Store log lines; lines that are there already are not stored twice."""
        return self._report(lease, "logs", batch, Acknowledged)

    def send_metrics(self, lease: Lease, batch: MetricBatch) -> Acknowledged:
        """Store metric points; points that are there already are not stored twice."""
        return self._report(lease, "metrics", batch, Acknowledged)

    def download_job_dataset(
        self,
        lease: Lease,
        target: Path,
        source: int = 0,
        on_progress: Progress | None = None,
        *,
        patience_s: float = PATIENCE_S,
    ) -> str:
        """Fetch the archive of one of the lease's datasets, by its number; resumable. Returns its SHA-256."""
        return download(
            self.transport,
            _job(lease, "dataset"),
            target,
            headers=_token(lease),
            params={"source": str(source)},
            on_progress=on_progress,
            patience_s=patience_s,
        )

    def download_job_trainer(self, lease: Lease, target: Path, *, patience_s: float = PATIENCE_S) -> str:
        """Fetch the job's trainer package; resumable. Returns its SHA-256."""
        return download(
            self.transport, _job(lease, "trainer"), target, headers=_token(lease), patience_s=patience_s
        )

    def upload_artifact(self, lease: Lease, path: str, file: Path) -> Artifact:
        """Store ``file`` as the experiment's artifact ``path``, whole or not at all."""
        return self.transport.send(
            "PUT",
            _job(lease, f"artifacts/{quote(path)}"),
            Artifact,
            body=file,
            headers=_token(lease) | {HASH_HEADER: sha256_file(file)},
            timeout=self.transport.timeout(longer_by=_STORING_S),
        )

    def _report(self, lease: Lease, what: str, report: Request, kind: type[T]) -> T:
        body = report.model_dump(mode="json")
        return self.transport.send(
            "POST", _job(lease, what), kind, retry=True, json=body, headers=_token(lease)
        )


def _job(lease: Lease, what: str) -> str:
    return f"/agent/jobs/{quote(lease.experiment_id, safe='')}/{what}"


def _token(lease: Lease) -> dict[str, str]:
    return {LEASE_HEADER: lease.token}
