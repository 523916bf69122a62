import pytest

from sightline.service import sweeper
from tests.service.world import HIDDEN, World, dataset_archive, log_line, package

LOST = "This lease is not yours any more: stop the job, the service has given it up or away."


def test_a_lease_holds_all_that_an_agent_needs(world: World) -> None:
    world.publish(release="auto")
    lease = world.taken().lease
    assert lease["attempt"] == 1
    assert lease["command"] == "python scripts/train.py"
    assert (lease["heartbeat_s"], lease["lease_s"]) == (5.0, 30.0)
    assert lease["expires_at"] == "2030-01-01T00:00:30Z"
    assert lease["environment"]["name"] == "local-small"
    [dataset] = lease["datasets"]
    assert (dataset["name"], dataset["variant"]) == ("digits", "hidden")
    assert dataset["policy"]["release"] == "auto"
    assert lease["recipe"] is None
    assert lease["trainer"]["size_bytes"] == len(package())


def test_without_work_the_answer_is_empty(world: World) -> None:
    answer = world.agent.post("/agent/leases", {"agent": "a", "sandboxes": ["process"]})
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_weak_agent_does_not_get_hidden_data(world: World) -> None:
    world.submit(world.developer)
    assert world.lease(sandboxes=("process",)) is None
    assert world.lease(sandboxes=("docker",)) is not None


def test_the_job_s_data_and_package_come_in_ranges_too(world: World) -> None:
    job = world.taken()
    archive = dataset_archive(HIDDEN + b"digits", count=5)
    assert job.call("GET", "dataset").content == archive
    assert job.call("GET", "dataset", headers={"Range": "bytes=50-"}).content == archive[50:]
    assert job.call("GET", "trainer").content == package()


def test_a_job_runs_to_its_end(world: World) -> None:
    job = world.taken()
    for state in ("preparing", "running", "collecting"):
        answer = job.report(state)
        assert answer.json() == {"cancel": False, "expires_at": "2030-01-01T00:00:30Z"}
    world.clock.advance(3)
    job.report("failed", exit_code=3)
    shown = world.developer.ok("GET", f"/experiments/{job.id}")
    assert (shown["state"], shown["exit_code"], shown["reason"]) == ("failed", 3, "now failed")
    assert (shown["started_at"], shown["ended_at"]) == ("2030-01-01T00:00:00Z", "2030-01-01T00:00:03Z")
    states = [change["state"] for change in shown["history"]]
    assert states == ["created", "queued", "preparing", "preparing", "running", "collecting", "failed"]


CALLS = [
    ("POST", "heartbeat", {}),
    ("POST", "state", {"json": {"state": "running", "reason": "x"}}),
    ("POST", "logs", {"json": {"lines": [log_line(0, "x")]}}),
    ("POST", "metrics", {"json": {"points": []}}),
    ("GET", "dataset", {}),
    ("GET", "trainer", {}),
    ("PUT", "artifacts/model/x", {"content": b"x", "headers": {"Content-SHA256": "0" * 64}}),
]


@pytest.mark.parametrize(("method", "what", "arguments"), CALLS, ids=[what for _, what, _ in CALLS])
def test_every_call_needs_a_live_lease(world: World, method: str, what: str, arguments: dict) -> None:
    job = world.taken()
    path = f"/agent/jobs/{job.id}/{what}"
    headers = arguments.get("headers", {})
    for token in ("guessed", job.lease["token"][:-1]):
        told = job.agent.error(409, method, path, **arguments | {"headers": headers | {"Lease-Token": token}})
        assert told == LOST
    right = arguments | {"headers": headers | job.headers}
    assert job.agent.error(409, method, "/agent/jobs/0000000000000000/" + what, **right) == LOST
    world.admin.ok("POST", "/users", json={"name": "spy", "role": "agent"})
    world.clock.advance(30)
    assert job.agent.error(409, method, path, **right) == LOST


def test_a_token_is_of_use_only_to_the_agent_that_got_it(world: World) -> None:
    job = world.taken()
    other = world.person("other-agent", "agent")
    assert other.error(409, "GET", f"/agent/jobs/{job.id}/dataset", headers=job.headers) == LOST


def test_a_job_whose_agent_is_lost_goes_to_another(world: World) -> None:
    old = world.taken()
    old.logs("from the first attempt")
    world.clock.advance(30)
    assert world.core
    assert sweeper.sweep(world.core) == [old.id]
    new = world.lease(name="agent-2")
    assert new
    assert (new.id, new.lease["attempt"]) == (old.id, 2)
    assert old.logs("too late", start=1).status_code == 409
    new.logs("from the second attempt")
    stored = world.developer.ok("GET", f"/experiments/{new.id}/logs")["data"]
    assert [(line["attempt"], line["text"]) for line in stored] == [
        (1, "from the first attempt"),
        (2, "from the second attempt"),
    ]


def test_logs_and_metrics_are_read_on_from_an_id(world: World) -> None:
    job = world.taken()
    assert job.logs("a", "b", "c").json() == {"seq": 2}
    assert job.logs("b", "c", "d", start=1).json() == {"seq": 3}
    assert job.metrics(1.5, None).json() == {"seq": 1}
    path = f"/experiments/{job.id}"
    page = world.developer.ok("GET", f"{path}/logs?after=1&limit=2")
    assert (page["count"], [line["text"] for line in page["data"]]) == (4, ["b", "c"])
    assert page["data"][0] == log_line(1, "b") | {"id": 2, "attempt": 1}
    points = world.developer.ok("GET", f"{path}/metrics")
    assert (points["count"], [point["value"] for point in points["data"]]) == (2, [1.5, None])
    assert world.developer.ok("GET", f"{path}/metrics?after=2")["data"] == []


class TestArtifacts:
    def test_a_file_is_stored_whole_and_can_be_replaced(self, world: World) -> None:
        world.publish(release="auto")
        job = world.taken()
        job.report("running", "collecting")
        assert job.put("model/a/b c.bin", b"old").is_success
        assert job.put("model/a/b c.bin", b"new weights").json()["size_bytes"] == 11
        assert job.put("run/empty.jsonl", b"").json()["size_bytes"] == 0
        job.report("succeeded")
        path = f"/experiments/{job.id}/artifacts"
        listed = world.developer.ok("GET", path)
        assert [row["path"] for row in listed["data"]] == ["model/a/b c.bin", "run/empty.jsonl"]
        answer = world.developer.get(f"{path}/model/a/b c.bin", headers={"Range": "bytes=4-"})
        assert (answer.status_code, answer.content) == (206, b"weights")
        assert answer.headers["Content-SHA256"] == listed["data"][0]["sha256"]
        assert world.developer.get(f"{path}/run/empty.jsonl").content == b""
        sentence = world.developer.error(404, "GET", f"{path}/model/none")
        assert sentence == f"Experiment {job.id} has no artifact 'model/none'; list them for the paths."

    def test_damaged_bytes_are_refused(self, world: World) -> None:
        job = world.taken()
        answer = job.put("model/x", b"damaged", sha256="0" * 64)
        assert answer.status_code == 422
        assert "send the file again" in answer.json()["detail"]
        assert world.developer.ok("GET", f"/experiments/{job.id}/artifacts")["count"] == 0

    @pytest.mark.parametrize(
        "path",
        [
            "x",
            "model",
            "secrets/x",
            "model//x",
            "model/../x",
            "model/x/",
            "model/%00",
            "model/%0a",
            "model\\x",
        ],
    )
    def test_odd_paths_are_refused(self, world: World, path: str) -> None:
        answer = world.taken().put(path.replace("..", "%2e%2e"), b"x")
        assert answer.status_code == 422
        assert "give a file below one of model, checkpoints, data, run" in answer.json()["detail"]

    def test_output_is_limited_by_the_environment(self, world: World) -> None:
        job = world.taken()
        assert world.core
        with world.core.database.write() as session:
            from sightline.service.store.environments import named

            named(session, None).output_quota_bytes = 10
        assert job.put("model/a", b"123456").is_success
        answer = job.put("model/b", b"12345")
        assert answer.status_code == 413
        assert answer.json()["detail"] == (
            "Artifact 'model/b' brings the job's output to 11 B, "
            "more than the 10 B that its environment allows."
        )
        assert (
            job.put("model/b", b"x" * 11).json()["detail"]
            == "Artifact 'model/b' is larger than the 10 B it may have."
        )
        assert job.put("model/a", b"1234567890").is_success  # it takes the place of the first
        assert list((world.folder / "uploads").iterdir()) == []

    def test_the_number_of_files_is_limited(self, make_world) -> None:
        world = make_world(max_artifacts=2)
        job = world.taken()
        assert job.put("model/a", b"").is_success
        assert job.put("model/b", b"").is_success
        assert job.put("model/b", b"again").is_success
        assert "more than the 2 artifacts" in job.put("model/c", b"").json()["detail"]

    def test_half_collected_artifacts_of_a_lost_agent_are_dropped(self, world: World) -> None:
        job = world.taken()
        job.report("running", "collecting")
        job.put("model/half", b"x")
        world.clock.advance(30)
        assert world.core
        sweeper.sweep(world.core)
        assert world.developer.ok("GET", f"/experiments/{job.id}/artifacts")["count"] == 0
