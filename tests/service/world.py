"""A service with people and data in it, for tests: the real app on a real folder, its clock in our hands."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI

from sightline.client.wire import API_PREFIX, HASH_HEADER, LEASE_HEADER, OFFSET_HEADER
from sightline.service.app import create_app
from sightline.service.core import Core
from sightline.service.settings import Settings

HIDDEN = b"HIDDEN-PIXELS-2f6d1c"
"""Bytes that occur in the hidden archive and nowhere else."""
COMMAND = "python scripts/train.py"


class FakeClock:
    """Stands still unless told otherwise."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.time = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class Caller:
    """Makes calls as one user. ``send`` sends them to the app or over the network."""

    send: Any
    key: str | None
    name: str = ""

    def __call__(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        headers = dict(arguments.pop("headers", {}))
        if self.key is not None:
            headers["Authorization"] = f"ApiKey {self.key}"
        url = path if path.startswith("/api") or path in ("/docs", "/openapi.json") else API_PREFIX + path
        return self.send(method, url, headers=headers, **arguments)

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        return self("GET", path, **arguments)

    def post(self, path: str, json: Any = None, **arguments: Any) -> httpx.Response:
        return self("POST", path, json=json, **arguments)

    def ok(self, method: str, path: str, **arguments: Any) -> Any:
        """The parsed answer of a call that has to succeed."""
        answer = self(method, path, **arguments)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def error(self, status: int, method: str, path: str, **arguments: Any) -> str:
        """The sentence of a call that has to fail."""
        answer = self(method, path, **arguments)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        assert list(answer.json()) == ["detail"]
        return answer.json()["detail"]


@dataclass
class World:
    """The people are made when first asked for."""

    folder: Path
    send: Any
    core: Core | None = None
    app: FastAPI | None = None
    clock: FakeClock = field(default_factory=FakeClock)
    people: dict[str, Caller] = field(default_factory=dict)

    @classmethod
    def in_process(cls, portal: BlockingPortal, folder: Path, **settings: Any) -> "World":
        """The app without a network, its background tasks not running."""
        clock = FakeClock()
        app = create_app(Settings(folder=folder, **settings), now=clock)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)

        async def ask(method: str, url: str, arguments: dict[str, Any]) -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return await client.request(method, url, **arguments)

        def send(method: str, url: str, **arguments: Any) -> httpx.Response:
            return portal.call(partial(ask, method, url, arguments))

        return cls(folder, send, app.state.core, app, clock)

    def close(self) -> None:
        if self.core:
            self.core.database.close()

    @property
    def admin(self) -> Caller:
        return Caller(self.send, (self.folder / "admin.key").read_text().strip(), "admin")

    @property
    def agent(self) -> Caller:
        return Caller(self.send, (self.folder / "agent.key").read_text().strip(), "local-agent")

    @property
    def nobody(self) -> Caller:
        return Caller(self.send, None)

    def person(self, name: str, role: str) -> Caller:
        if name not in self.people:
            made = self.admin.ok("POST", "/users", json={"name": name, "role": role})
            self.people[name] = Caller(self.send, made["api_key"], name)
        return self.people[name]

    @property
    def owner(self) -> Caller:
        return self.person("olga", "owner")

    @property
    def developer(self) -> Caller:
        return self.person("dev", "developer")

    @property
    def other_developer(self) -> Caller:
        return self.person("eve", "developer")

    def publish(self, name: str = "digits", *, hidden: bool = True, **policy: Any) -> dict[str, Any]:
        """A dataset of the owner's with a sample, and hidden data unless told otherwise."""
        self.owner.ok("POST", "/datasets", json={"name": name, "policy": policy})
        out = upload(self.owner, name, "sample", dataset_archive(b"sample of " + name.encode(), count=2))
        if hidden:
            out = upload(self.owner, name, "hidden", dataset_archive(HIDDEN + name.encode(), count=5))
        return out

    def trainer(self, who: Caller, name: str = "trainer") -> dict[str, Any]:
        return who.ok("POST", "/trainers", data={"name": name}, files={"file": ("trainer.zip", package())})

    def submit(self, who: Caller, **changes: Any) -> dict[str, Any]:
        """An experiment; dataset and trainer are made where they are missing."""
        if not self.admin.ok("GET", "/datasets?name__iexact=digits")["count"]:
            self.publish()
        if not who.ok("GET", "/trainers")["count"]:
            self.trainer(who)
        request = {"name": "run", "trainer": "trainer", "dataset": "digits", "command": COMMAND}
        return who.ok("POST", "/experiments", json=request | changes)

    def lease(self, sandboxes: tuple[str, ...] = ("namespace",), name: str = "agent-1") -> "Job | None":
        answer = self.agent.post("/agent/leases", {"agent": name, "sandboxes": list(sandboxes)})
        assert answer.status_code in (200, 204), answer.text
        return Job(self.agent, answer.json()) if answer.status_code == 200 else None

    def taken(self, who: Caller | None = None, **changes: Any) -> "Job":
        """A new experiment that an agent has taken."""
        self.submit(who or self.developer, **changes)
        job = self.lease()
        assert job is not None
        return job


@dataclass
class Job:
    """The agent's side of a lease."""

    agent: Caller
    lease: dict[str, Any]

    @property
    def id(self) -> str:
        return self.lease["experiment_id"]

    @property
    def headers(self) -> dict[str, str]:
        return {LEASE_HEADER: self.lease["token"]}

    def call(self, method: str, what: str, **arguments: Any) -> httpx.Response:
        headers = self.headers | arguments.pop("headers", {})
        return self.agent(method, f"/agent/jobs/{self.id}/{what}", headers=headers, **arguments)

    def report(self, *states: str, exit_code: int | None = None) -> httpx.Response:
        answers = []
        for state in states:
            report = {"state": state, "reason": f"now {state}", "exit_code": exit_code}
            answers.append(self.call("POST", "state", json=report))
        return answers[-1]

    def finish(self, last: str = "succeeded") -> None:
        assert self.report("running", "collecting", last).is_success

    def logs(self, *texts: str, start: int = 0, stream: str = "stdout") -> httpx.Response:
        lines = [log_line(start + index, text, stream) for index, text in enumerate(texts)]
        return self.call("POST", "logs", json={"lines": lines})

    def metrics(self, *values: float | None, start: int = 0, name: str = "loss") -> httpx.Response:
        points = [
            {
                "seq": start + index,
                "at": "2030-01-01T00:00:00Z",
                "name": name,
                "kind": "metric",
                "value": value,
                "step": index,
            }
            for index, value in enumerate(values)
        ]
        return self.call("POST", "metrics", json={"points": points})

    def put(self, path: str, content: bytes, sha256: str | None = None) -> httpx.Response:
        headers = {HASH_HEADER: sha256 or hashlib.sha256(content).hexdigest()}
        return self.call("PUT", f"artifacts/{path}", content=content, headers=headers)


def log_line(seq: int, text: str, stream: str = "stdout") -> dict[str, Any]:
    return {"seq": seq, "at": "2030-01-01T00:00:00Z", "stream": stream, "text": text}


def make_zip(members: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def dataset_archive(image: bytes, count: int = 1) -> bytes:
    info = {"name": "digits", "tasks": [{"name": "digit", "class_names": ["0", "1"]}]}
    members = {"dataset_info.json": json.dumps(info), "annotations.jsonl": "{}\n" * count}
    return make_zip({**members, "data/ab/image.png": image})


def package() -> bytes:
    return make_zip({"Dockerfile": "FROM python:3.11\n", "scripts/train.py": "print('trained')\n"})


def announcement(archive: bytes, variant: str = "sample", version: str = "1.0.0") -> dict[str, Any]:
    sha256 = hashlib.sha256(archive).hexdigest()
    return {"variant": variant, "version": version, "sha256": sha256, "size_bytes": len(archive)}


def upload(who: Caller, dataset: str, variant: str, archive: bytes, version: str = "1.0.0") -> dict[str, Any]:
    made = who.ok("POST", f"/datasets/{dataset}/uploads", json=announcement(archive, variant, version))
    path = f"/datasets/{dataset}/uploads/{made['id']}"
    who.ok("PATCH", path, content=archive, headers={OFFSET_HEADER: "0"})
    return who.ok("POST", f"{path}/complete")
