from typing import Any

import pytest

from tests.service.world import COMMAND, HIDDEN, World, dataset_archive, upload


def test_an_experiment_is_queued_with_its_parts(world: World) -> None:
    made = world.submit(world.developer)
    assert (made["state"], made["attempt"], made["author"]) == ("queued", 0, "dev")
    assert made["reason"] == "Waiting for a free agent with a docker or namespace sandbox."
    assert (made["dataset"], made["dataset_version"], made["dataset_variant"]) == (
        "digits",
        "1.0.0",
        "hidden",
    )
    assert (made["trainer"], made["environment"], made["command"]) == ("trainer", "local-small", COMMAND)
    assert [change["state"] for change in made["history"]] == ["created", "queued"]
    assert made["release"]["state"] == "none"
    assert world.developer.ok("GET", f"/experiments/{made['id']}") == made


def test_without_hidden_data_the_job_gets_the_sample_and_says_so(world: World) -> None:
    world.publish(hidden=False)
    made = world.submit(world.developer)
    assert (made["dataset_variant"], made["reason"]) == ("sample", "Waiting for a free agent.")


def test_a_version_can_be_named_and_is_kept_when_a_newer_one_comes(world: World) -> None:
    world.publish()
    made = world.submit(world.developer, dataset="digits")
    upload(world.owner, "digits", "hidden", dataset_archive(b"new"), "2.0.0")
    world.clock.advance(1)
    assert world.submit(world.developer, dataset="digits")["dataset_version"] == "2.0.0"
    assert world.submit(world.developer, dataset="digits:1.0.0")["dataset_version"] == "1.0.0"
    job = world.lease()
    assert job
    assert (job.id, job.lease["datasets"][0]["version"]) == (made["id"], "1.0.0")


def test_a_recipe_stands_for_its_dataset(world: World) -> None:
    world.publish()
    recipe = world.developer.ok(
        "POST", "/dataset-recipes", json={"name": "r", "template": {"body": "digits"}}
    )
    made = world.submit(world.developer, dataset=None, dataset_recipe=recipe["id"])
    assert (made["dataset"], made["dataset_recipe"]) == ("digits", recipe["id"])


def submit_recipe(world: World, body: Any) -> dict[str, Any]:
    recipe = world.developer.ok("POST", "/dataset-recipes", json={"name": "r", "template": {"body": body}})
    assert recipe["template"]["body"] == body
    return world.submit(world.developer, dataset=None, dataset_recipe=recipe["id"])


def test_a_recipe_of_several_datasets(world: World) -> None:
    world.publish("one", release="auto", max_release_bytes=1000, allow_process_sandbox=True)
    world.publish("other", release="owner", max_release_bytes=10)
    body = {"source": {"merge": ["one:1.0.0", "other", "one:1.0.0"]}, "steps": [{"shuffle": {"seed": 2}}]}
    made = submit_recipe(world, body)
    assert (made["dataset"], made["dataset_variant"]) == ("one", "hidden")
    assert made["reason"] == "Waiting for a free agent with a docker or namespace sandbox."
    assert world.lease(sandboxes=("process",)) is None
    job = world.lease()
    assert job
    assert [dataset["name"] for dataset in job.lease["datasets"]] == ["one", "other"]
    assert job.lease["recipe"]["steps"] == [{"shuffle": {"seed": 2}}]
    archives = [job.call("GET", f"dataset?source={number}").content for number in (0, 1)]
    assert all(HIDDEN in archive for archive in archives)
    assert job.call("GET", "dataset?source=2").status_code == 404
    assert "is used by experiment" in world.owner.error(409, "DELETE", "/datasets/other")
    job.report("running", "collecting")
    assert job.put("model/a.bin", b"abc").is_success
    job.report("succeeded")
    assert world.developer.ok("GET", f"/experiments/{made['id']}")["release"]["state"] == "pending"


def test_a_recipe_of_datasets_of_several_owners_is_refused(world: World) -> None:
    world.publish("one")
    stranger = world.person("stranger", "owner")
    stranger.ok("POST", "/datasets", json={"name": "other", "policy": {}})
    upload(stranger, "other", "sample", dataset_archive(b"x"))
    request = {"name": "r", "template": {"body": {"merge": ["one", "other"]}}}
    sentence = world.developer.error(422, "POST", "/dataset-recipes", json=request)
    assert "several owners" in sentence
    assert "stranger" in sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"dataset": "digit"}, "Dataset 'digit' is unknown; there are: digits, empty."),
        ({"dataset": "digits:9.9.9"}, "Dataset 'digits' has no version 9.9.9; there are: 1.0.0."),
        (
            {"dataset": "empty"},
            "Dataset 'empty' has no hidden or sample data yet; its owner has to publish it.",
        ),
        ({"dataset": None}, "Give exactly one of 'dataset' and 'dataset_recipe'."),
        ({"dataset_recipe": "x"}, "Give exactly one of 'dataset' and 'dataset_recipe'."),
        ({"trainer": "net"}, "Trainer 'net' is unknown; there are: trainer."),
        ({"environment": "gpu"}, "Environment 'gpu' is unknown; there are: local-large, local-small."),
        ({"command": " "}, "The command is empty"),
        (
            {"command": "python scripts/tran.py"},
            "The command runs 'scripts/tran.py', which is not in the package",
        ),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(world: World, change: dict, sentence: str) -> None:
    world.publish()
    world.owner.ok("POST", "/datasets", json={"name": "empty"})
    world.trainer(world.developer)
    request = {"name": "run", "trainer": "trainer", "dataset": "digits", "command": COMMAND} | change
    assert world.developer.error(422, "POST", "/experiments", json=request).startswith(sentence)
    assert world.developer.ok("GET", "/experiments")["count"] == 0


def test_the_trainers_of_others_are_not_named(world: World) -> None:
    made = world.trainer(world.other_developer, "secret-net")
    world.publish()
    for trainer in ("secret-net", made["id"]):
        request = {"name": "run", "trainer": trainer, "dataset": "digits", "command": COMMAND}
        sentence = world.developer.error(422, "POST", "/experiments", json=request)
        assert sentence.startswith(f"Trainer '{trainer}' is unknown, and there are none yet")


def test_a_trainers_name_means_the_newest_one(world: World) -> None:
    world.trainer(world.developer)
    world.clock.advance(1)
    newest = world.trainer(world.developer)
    assert world.submit(world.developer)["trainer_id"] == newest["id"]


def test_who_sees_an_experiment(world: World) -> None:
    made = world.submit(world.developer)
    path = f"/experiments/{made['id']}"
    for who in (world.developer, world.owner, world.admin):
        assert who.ok("GET", path) == made
        assert who.ok("GET", "/experiments")["count"] == 1
    assert world.other_developer.ok("GET", "/experiments") == {"count": 0, "data": []}
    missing = world.other_developer.error(404, "GET", "/experiments/0000000000000000")
    for method, suffix in [
        ("GET", ""),
        ("GET", "/logs"),
        ("GET", "/metrics"),
        ("GET", "/stream"),
        ("GET", "/artifacts"),
        ("GET", "/artifacts/model/model.bin"),
        ("POST", "/cancel"),
        ("POST", "/release"),
    ]:
        sentence = world.other_developer.error(404, method, path + suffix, json={"decision": "approve"})
        assert sentence.replace(made["id"], "0000000000000000") == missing


def test_newest_first_in_pages_without_histories(world: World) -> None:
    made = []
    for _ in range(3):
        world.clock.advance(1)
        made.append(world.submit(world.developer)["id"])
    page = world.developer.ok("GET", "/experiments?page=1&page_size=2")
    assert (page["count"], [row["id"] for row in page["data"]]) == (3, made[:0:-1])
    assert page["data"][0]["history"] == []


class TestCancel:
    def test_what_is_queued_is_cancelled_at_once(self, world: World) -> None:
        path = f"/experiments/{world.submit(world.developer)['id']}"
        cancelled = world.developer.ok("POST", f"{path}/cancel")
        assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "Cancelled by dev.")
        assert world.lease() is None
        assert world.developer.ok("POST", f"{path}/cancel") == cancelled

    def test_what_runs_is_stopped_by_its_agent(self, world: World) -> None:
        job = world.taken()
        assert job.call("POST", "heartbeat").json()["cancel"] is False
        asked = world.developer.ok("POST", f"/experiments/{job.id}/cancel")
        assert asked["state"] == "preparing"
        assert asked["reason"] == "dev asked to cancel; the agent is stopping the job."
        assert job.call("POST", "heartbeat").json()["cancel"] is True
        assert job.report("cancelled").is_success
        assert world.developer.ok("GET", f"/experiments/{job.id}")["state"] == "cancelled"

    def test_the_owner_of_the_data_may_stop_it_too(self, world: World) -> None:
        job = world.taken()
        assert world.owner.ok("POST", f"/experiments/{job.id}/cancel")["reason"].startswith("olga asked")

    def test_what_has_ended_stays_as_it_is(self, world: World) -> None:
        job = world.taken()
        job.finish()
        assert world.developer.ok("POST", f"/experiments/{job.id}/cancel")["state"] == "succeeded"


class TestRelease:
    def ended(self, world: World, **policy: Any) -> tuple[str, str]:
        world.publish(**policy)
        job = world.taken()
        job.report("running", "collecting")
        assert job.put("model/model.bin", b"weights").is_success
        job.report("succeeded")
        return f"/experiments/{job.id}", f"/experiments/{job.id}/artifacts/model/model.bin"

    def decide(self, decision: str, reason: str = "") -> dict[str, str]:
        return {"decision": decision, "reason": reason}

    def test_the_owner_decides_and_may_look_before(self, world: World) -> None:
        path, artifact = self.ended(world)
        sentence = world.developer.error(403, "GET", artifact)
        assert sentence == "Not released: The owner of dataset 'digits' has not decided yet (7 B)."
        assert world.developer.ok("GET", f"{path}/artifacts")["count"] == 1
        assert world.owner.get(artifact).content == b"weights"
        released = world.owner.ok("POST", f"{path}/release", json=self.decide("approve", "fine"))["release"]
        assert (released["state"], released["reason"], released["decided_by"]) == (
            "approved",
            "Approved by olga: fine",
            "olga",
        )
        assert world.developer.get(artifact).content == b"weights"
        assert world.owner.ok("POST", f"{path}/release", json=self.decide("approve"))["release"] == released

    def test_what_is_rejected_stays_closed(self, world: World) -> None:
        path, artifact = self.ended(world)
        world.owner.ok("POST", f"{path}/release", json=self.decide("reject", "looks like data"))
        sentence = "Not released: Rejected by olga: looks like data"
        assert world.developer.error(403, "GET", artifact) == sentence
        late = world.admin.error(409, "POST", f"{path}/release", json=self.decide("approve"))
        assert late == "The release was rejected already, and that is final."

    def test_the_author_is_never_the_reviewer(self, world: World) -> None:
        path, _ = self.ended(world)
        never = "The owner of dataset 'digits' or an admin decides, and never the author."
        assert world.developer.error(403, "POST", f"{path}/release", json=self.decide("approve")) == never
        world.trainer(world.owner)
        job = world.taken(world.owner)
        job.report("running", "collecting")
        job.put("model/model.bin", b"weights")
        job.report("succeeded")
        own = f"/experiments/{job.id}"
        assert world.owner.error(403, "POST", f"{own}/release", json=self.decide("approve")) == never
        assert "Not released" in world.owner.error(403, "GET", f"{own}/artifacts/model/model.bin")
        assert world.admin.ok("POST", f"{own}/release", json=self.decide("approve"))

    def test_within_the_budget_it_is_automatic(self, world: World) -> None:
        path, artifact = self.ended(world, release="auto", max_release_bytes=7)
        release = world.developer.ok("GET", path)["release"]
        assert (release["state"], release["decided_by"]) == ("approved", None)
        assert world.developer.get(artifact).content == b"weights"

    def test_over_the_budget_it_is_not(self, world: World) -> None:
        _, artifact = self.ended(world, release="auto", max_release_bytes=6)
        assert "more than the 6 B" in world.developer.error(403, "GET", artifact)

    def test_before_the_end_there_is_nothing_to_decide(self, world: World) -> None:
        job = world.taken()
        sentence = world.owner.error(
            409, "POST", f"/experiments/{job.id}/release", json=self.decide("approve")
        )
        assert "has not ended" in sentence


def test_environments_are_listed_default_first(world: World) -> None:
    listed = world.developer.ok("GET", "/experiment-environments")
    assert [environment["name"] for environment in listed] == ["local-small", "local-large"]
    assert world.submit(world.developer, environment="local-large")["environment"] == "local-large"
