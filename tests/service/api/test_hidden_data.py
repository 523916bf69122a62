"""No person, whatever their role, is answered with hidden bytes, and each role only gets its own routes."""

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from tests.service.world import HIDDEN, Caller, Job, World, announcement, dataset_archive

ROLES = ["nobody", "agent", "developer", "other_developer", "owner", "admin"]


@pytest.fixture
def finished(world: World) -> Job:
    """An experiment on hidden data that has ended, and another one that an agent holds."""
    world.publish(release="auto")
    job = world.taken()
    job.logs("a line")
    job.report("running", "collecting")
    job.put("model/model.bin", b"weights")
    job.report("succeeded")
    return job


def operations(world: World) -> Iterator[tuple[str, str]]:
    assert world.app
    for path, methods in world.app.openapi()["paths"].items():
        for method in methods:
            yield method.upper(), path


def filled(path: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)(?::path)?\}", lambda match: values[match[1]], path)


def every_answer(
    world: World, who: Caller, values: dict[str, str]
) -> Iterator[tuple[str, str, httpx.Response]]:
    token = values["token"]
    headers = {"Lease-Token": token, "Upload-Offset": "0", "Content-SHA256": "0" * 64}
    bodies: dict[str, object] = {
        "/release": {"decision": "approve"},
        "/uploads": announcement(dataset_archive(HIDDEN + b"digits", count=5), "sample", "7.0.0"),
        "/leases": {"agent": "thief", "sandboxes": ["namespace", "docker", "process"]},
    }
    for method, path in operations(world):
        if method == "DELETE":
            continue  # these answer nothing, and would leave nothing to look for
        for variant in ("", "?variant=hidden&version=1.0.0"):
            body = next((body for end, body in bodies.items() if path.endswith(end)), {})
            json = body if method in ("POST", "PATCH") else None
            yield method, path, who(method, filled(path, values) + variant, json=json, headers=headers)


@pytest.mark.parametrize("role", ROLES)
def test_no_answer_holds_hidden_bytes(world: World, finished: Job, role: str) -> None:
    who: Caller = getattr(world, role)
    upload = world.owner.ok(
        "POST", "/datasets/digits/uploads", json=announcement(dataset_archive(b"x"), version="9.0.0")
    )
    trainer = world.developer.ok("GET", "/trainers")["data"][0]["id"]
    values = {
        "dataset": "digits",
        "upload": upload["id"],
        "recipe": "none",
        "trainer": trainer,
        "experiment": finished.id,
        "path": "model/model.bin",
        "user": "dev",
        "token": finished.lease["token"],
    }
    seen = 0
    for method, path, answer in every_answer(world, who, values):
        seen += 1
        assert HIDDEN not in answer.content, f"{method} {path} as {role}"
        assert answer.status_code < 500, f"{method} {path} as {role}: {answer.text}"
        if path == "/api/v1/health":
            assert answer.status_code == 200
        elif role == "nobody":
            assert answer.status_code == 401
        elif path.startswith("/api/v1/agent/"):
            assert (answer.status_code == 403) == (role != "agent"), f"{method} {path} as {role}"
        elif role == "agent":
            assert answer.status_code == (200 if path == "/api/v1/me" else 403), f"{method} {path}"
    assert seen > 60


def test_every_route_is_tried(world: World) -> None:
    """The list of operations has everything that the app routes, but for its own pages."""
    assert world.app
    listed = set(operations(world))
    routed = {
        (method, context.path)
        for context in iter_route_contexts(world.app.routes)
        for method in context.methods or ()
        if context.path and context.path.startswith("/api")
    }
    assert {path.replace(":path", "") for _, path in routed} == {path for _, path in listed}


def test_only_the_holder_of_a_lease_on_it_gets_the_hidden_archive(world: World, finished: Job) -> None:
    assert finished.call("GET", "dataset").status_code == 409  # its lease has ended
    world.publish("other", hidden=False)
    world.submit(world.developer, dataset="other")
    elsewhere = world.lease()
    assert elsewhere
    assert HIDDEN not in elsewhere.call("GET", "dataset").content
    world.submit(world.developer)
    job = world.lease()
    assert job
    assert HIDDEN in job.call("GET", "dataset").content
    wrong = world.agent("GET", f"/agent/jobs/{job.id}/dataset", headers=elsewhere.headers)
    assert wrong.status_code == 409
    for who in (world.developer, world.owner, world.admin):
        answer = who("GET", f"/agent/jobs/{job.id}/dataset", headers=job.headers)
        assert answer.status_code == 403
