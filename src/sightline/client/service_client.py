"""`ServiceClient`: one typed method for every call that the service answers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

from sightline.client.agent_calls import AgentCalls
from sightline.client.events import StreamEvent, stream_events
from sightline.client.messages import message
from sightline.client.resumable_download import Progress, download
from sightline.client.resumable_upload import send_archive
from sightline.client.transport import Transport
from sightline.client.wire import (
    Artifact,
    DatasetCreate,
    DatasetOut,
    DatasetRecipeCreate,
    DatasetRecipeOut,
    Environment,
    ExperimentCreate,
    ExperimentOut,
    Health,
    Page,
    ReleaseDecision,
    StoredLogLine,
    StoredMetricPoint,
    TrainerOut,
    TrainerPatch,
    UploadCreate,
    User,
    UserCreate,
    UserCreated,
    Variant,
)
from sightline.errors import SightlineError
from sightline.files import sha256_file

T = TypeVar("T")

_PAGE_SIZE = 100
_CHECKING_S = 600.0  # the service may take so long to check a large archive after its last byte came


class ServiceClient(AgentCalls):
    """Speaks to the service at ``url`` as the user of ``api_key``; use it in a ``with`` block.

    ``timeout`` is in seconds, for connecting and for each wait for bytes. Idempotent calls are tried
    again for ``patience_s`` seconds while the service cannot be reached. ``key_origin`` names
    the key in errors. All methods raise `ServiceError` with one sentence. A dataset, trainer,
    experiment or user is named by its id, or by its name where the service takes one.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        timeout: float = 30.0,
        *,
        patience_s: float = 2.0,
        key_origin: str = "the API key",
    ) -> None:
        self.transport = Transport(
            url, api_key, timeout=timeout, patience_s=patience_s, key_origin=key_origin
        )

    @property
    def url(self) -> str:
        """The service's address, without the API prefix."""
        return self.transport.url

    def close(self) -> None:
        """Close all connections."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- who -----------------------------------------------------------------------------------------

    def health(self) -> Health:
        """Whether the service is up, and its version; needs no valid key."""
        return self.transport.get("/health", Health)

    def me(self) -> User:
        """The user whose key this is."""
        return self.transport.get("/me", User)

    def users(self) -> list[User]:
        """All users (admin)."""
        return self._all("/users", User)

    def create_user(self, request: UserCreate) -> UserCreated:
        """Create a user (admin); the answer holds the API key, which cannot be had again."""
        return self.transport.send("POST", "/users", UserCreated, json=request.model_dump(mode="json"))

    def delete_user(self, user: str) -> None:
        """Delete a user and revoke the keys (admin)."""
        self.transport.request("DELETE", f"/users/{_part(user)}")

    # --- datasets ------------------------------------------------------------------------------------

    def datasets(self, search: str | None = None) -> list[DatasetOut]:
        """All datasets, or those with ``search`` in their name or title."""
        return self._all("/datasets", DatasetOut, search=search)

    def dataset(self, dataset: str) -> DatasetOut:
        """One dataset, with its ``info``."""
        return self.transport.get(f"/datasets/{_part(dataset)}", DatasetOut)

    def create_dataset(self, request: DatasetCreate) -> DatasetOut:
        """Register a dataset (owner); its variants are uploaded afterwards."""
        return self.transport.send("POST", "/datasets", DatasetOut, json=request.model_dump(mode="json"))

    def delete_dataset(self, dataset: str) -> None:
        """Delete a dataset and its variants (its owner, or admin)."""
        self.transport.request("DELETE", f"/datasets/{_part(dataset)}")

    def upload_variant(
        self,
        dataset: str,
        archive: Path,
        variant: Variant,
        version: str,
        on_progress: Progress | None = None,
    ) -> DatasetOut:
        """Upload an archive made by `sightline.data.archive` as a variant of a dataset; resumable."""
        announcement = message(
            UploadCreate,
            variant=variant,
            version=version,
            sha256=sha256_file(archive),
            size_bytes=archive.stat().st_size,
        )
        uploads = f"/datasets/{_part(dataset)}/uploads"
        upload = send_archive(self.transport, uploads, archive, announcement, on_progress=on_progress)
        return self.transport.send(
            "POST",
            f"{uploads}/{upload.id}/complete",
            DatasetOut,
            timeout=self.transport.timeout(longer_by=_CHECKING_S),
        )

    def download_sample(
        self,
        name: str,
        version: str | None,
        target: Path,
        on_progress: Progress | None = None,
    ) -> str:
        """Fetch a dataset's sample archive into the file ``target``; resumable. Returns its SHA-256."""
        params = {"version": version} if version else {}
        path = f"/datasets/{_part(name)}/sample"
        return download(self.transport, path, target, params=params, on_progress=on_progress)

    def dataset_recipes(self) -> list[DatasetRecipeOut]:
        """All recipes of the user."""
        return self._all("/dataset-recipes", DatasetRecipeOut)

    def create_dataset_recipe(self, request: DatasetRecipeCreate) -> DatasetRecipeOut:
        """Store a recipe under a name."""
        body = request.model_dump(mode="json")
        return self.transport.send("POST", "/dataset-recipes", DatasetRecipeOut, json=body)

    def delete_dataset_recipe(self, recipe_id: str) -> None:
        """Delete a recipe."""
        self.transport.request("DELETE", f"/dataset-recipes/{_part(recipe_id)}")

    # --- trainers and environments -------------------------------------------------------------------

    def trainers(self) -> list[TrainerOut]:
        """All trainer packages that the user may run."""
        return self._all("/trainers", TrainerOut)

    def trainer(self, trainer_id: str) -> TrainerOut:
        """One trainer package."""
        return self.transport.get(f"/trainers/{_part(trainer_id)}", TrainerOut)

    def create_trainer(
        self, path: Path, name: str, description: str = "", default_command: str = ""
    ) -> TrainerOut:
        """Upload the trainer package (``trainer.zip``) at ``path``."""
        form = {"name": name, "description": description, "default_command": default_command}
        with path.open("rb") as file:
            return self.transport.send(
                "POST",
                "/trainers",
                TrainerOut,
                data=form,
                files={"file": (path.name, file, "application/zip")},
                timeout=self.transport.timeout(longer_by=_CHECKING_S),
            )

    def update_trainer(self, trainer_id: str, patch: TrainerPatch) -> TrainerOut:
        """Change a trainer's name, description or default command; what is None stays as it is."""
        body = patch.model_dump(mode="json", exclude_none=True)
        return self.transport.send(
            "PATCH", f"/trainers/{_part(trainer_id)}", TrainerOut, retry=True, json=body
        )

    def environments(self) -> list[Environment]:
        """The tiers of compute on offer, the default one first."""
        found = self.transport.get("/experiment-environments", list[Environment])
        return sorted(found, key=lambda environment: environment.order)

    # --- experiments ---------------------------------------------------------------------------------

    def experiments(self, limit: int | None = None) -> list[ExperimentOut]:
        """All experiments that the user may see, or the ``limit`` newest of them; newest first."""
        return self._all("/experiments", ExperimentOut, limit)

    def experiment(self, experiment_id: str) -> ExperimentOut:
        """One experiment, with its history."""
        return self.transport.get(_experiment(experiment_id), ExperimentOut)

    def create_experiment(self, request: ExperimentCreate) -> ExperimentOut:
        """Queue an experiment. Not tried again by itself: that could start it twice."""
        body = request.model_dump(mode="json", exclude_none=True)
        return self.transport.send("POST", "/experiments", ExperimentOut, json=body)

    def cancel(self, experiment_id: str) -> ExperimentOut:
        """Ask for an experiment to be stopped."""
        return self.transport.send("POST", f"{_experiment(experiment_id)}/cancel", ExperimentOut, retry=True)

    def release(self, experiment_id: str, decision: ReleaseDecision) -> ExperimentOut:
        """Decide whether an experiment's artifacts go to its author (the dataset's owner, or admin)."""
        body = decision.model_dump(mode="json")
        return self.transport.send("POST", f"{_experiment(experiment_id)}/release", ExperimentOut, json=body)

    def logs(self, experiment_id: str, after: int | None = None) -> Iterator[StoredLogLine]:
        """The log lines stored so far, oldest first, from the one after the id ``after``."""
        return self._rows(
            f"{_experiment(experiment_id)}/logs", Page[StoredLogLine], lambda row: row.id, after
        )

    def metrics(self, experiment_id: str, after: int | None = None) -> Iterator[StoredMetricPoint]:
        """The metric points stored so far, oldest first, from the one after the id ``after``."""
        path = f"{_experiment(experiment_id)}/metrics"
        return self._rows(path, Page[StoredMetricPoint], lambda row: row.id, after)

    def stream(
        self, experiment_id: str, after: str | None = None, *, patience_s: float = 60.0
    ) -> Iterator[StreamEvent]:
        """Log lines, metrics and states as they happen, from the beginning to the experiment's end."""
        path = f"{_experiment(experiment_id)}/stream"
        return stream_events(self.transport, path, after=after, patience_s=patience_s)

    def artifacts(self, experiment_id: str) -> list[Artifact]:
        """What an experiment left, once it is released."""
        return self._all(f"{_experiment(experiment_id)}/artifacts", Artifact)

    def download_artifact(
        self, experiment_id: str, path: str, target: Path, on_progress: Progress | None = None
    ) -> str:
        """Fetch one artifact into the file ``target``; resumable. Returns its SHA-256."""
        url = f"{_experiment(experiment_id)}/artifacts/{quote(path)}"
        return download(self.transport, url, target, on_progress=on_progress)

    # --- pages ---------------------------------------------------------------------------------------

    def _all(self, path: str, kind: type[T], limit: int | None = None, **params: Any) -> list[T]:
        """All pages of a listing, or its first ``limit`` items."""
        found: list[T] = []
        while True:
            page = self.transport.get(
                path, Page[kind], page=len(found) // _PAGE_SIZE + 1, page_size=_PAGE_SIZE, **params
            )
            found += page.data
            if len(page.data) < _PAGE_SIZE or len(found) >= min(page.count, limit or page.count):
                return found[:limit]

    def _rows(
        self, path: str, kind: type[Page[T]], id_of: Callable[[T], int], after: int | None
    ) -> Iterator[T]:
        while True:
            page = self.transport.get(path, kind, after=after)
            if not page.data:
                return
            yield from page.data
            after = id_of(page.data[-1])


def _experiment(experiment_id: str) -> str:
    return f"/experiments/{_part(experiment_id)}"


def _part(text: str) -> str:
    """``text`` as one part of a URL's path, whatever it holds."""
    if text in ("", ".", ".."):
        raise SightlineError(f"'{text}' is neither a name nor an id.")
    return quote(text, safe="")
