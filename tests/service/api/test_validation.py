import pytest

from tests.service.world import World

NAMES = "should be 1 to 100 letters, digits, '.', '_' and '-', the first a letter or a digit."


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "Field 'name' is missing."),
        ({"name": "x", "nmae": "y"}, "Field 'nmae' is unknown; known are name, title, overview, policy."),
        ({"name": "x y"}, f"Field 'name': 'x y' {NAMES}"),
        ({"name": ""}, f"Field 'name': '' {NAMES}"),
        ({"name": 5}, "Field 'name': 5 should be a valid string."),
        (
            {"name": "x", "policy": {"release": "never"}},
            "Field 'policy.release': 'never' should be 'auto' or 'owner'.",
        ),
        (
            {"name": "x", "policy": {"relaese": "auto"}},
            "Field 'policy.relaese' is unknown; known are release, allow_process_sandbox, max_release_bytes.",
        ),
        (
            {"name": "x", "policy": {"max_release_bytes": 0}},
            "Field 'policy.max_release_bytes': 0 should be greater than 0.",
        ),
        ([], "The body is not a JSON object."),
    ],
)
def test_the_sentence_names_the_field_and_what_is_allowed(world: World, body: object, sentence: str) -> None:
    assert world.owner.error(422, "POST", "/datasets", json=body) == sentence


def test_a_body_that_is_no_json(world: World) -> None:
    headers = {"Content-Type": "application/json"}
    for content in (b"{", b"nope"):
        answer = world.owner.error(422, "POST", "/datasets", content=content, headers=headers)
        assert answer == "The body is not a JSON object."
    broken = world.owner.error(400, "POST", "/datasets", content=b"\xff", headers=headers)
    assert broken.startswith("The body cannot be read")
    assert "has no body" in world.owner.error(422, "POST", "/datasets")


def test_parameters_headers_and_lists(world: World) -> None:
    assert world.owner.error(422, "GET", "/datasets?page=0") == (
        "Field 'page': '0' should be greater than or equal to 1."
    )
    assert "Field 'ordering': 'size' should be 'name'" in world.owner.error(
        422, "GET", "/datasets?ordering=size"
    )
    job = world.taken()
    assert (
        job.agent.error(422, "POST", f"/agent/jobs/{job.id}/heartbeat") == "Header 'Lease-Token' is missing."
    )
    bad = {"lines": [{"seq": 0, "at": "2030-01-01T00:00:00Z", "stream": "stdout", "text": "x", "level": 3}]}
    answer = job.call("POST", "logs", json=bad)
    assert answer.json()["detail"] == "Field 'lines[0].level' is unknown; known are seq, at, stream, text."


def test_the_number_of_further_problems_is_told(world: World) -> None:
    assert world.admin.error(422, "POST", "/users", json={}) == "Field 'name' is missing (and 1 more)."


def test_methods_that_are_not_there(world: World) -> None:
    assert world.owner.error(405, "PUT", "/me") == (
        "PUT is not possible at /api/v1/me; the calls are listed at /docs."
    )


@pytest.mark.parametrize("value", ["1e999", "-1e999", "NaN"])
def test_numbers_that_are_none(world: World, value: str) -> None:
    job = world.taken()
    point = f'{{"seq":0,"at":"2030-01-01T00:00:00Z","name":"x","kind":"metric","value":{value},"step":0}}'
    answer = job.call("POST", "metrics", content=f'{{"points":[{point}]}}')
    assert answer.status_code == 422, answer.text


def test_numbers_that_no_database_holds(world: World) -> None:
    job = world.taken()
    point = {"seq": 0, "at": "2030-01-01T00:00:00Z", "name": "x", "kind": "metric", "value": 1}
    answer = job.call("POST", "metrics", json={"points": [point | {"step": 2**63}]})
    assert answer.json()["detail"].startswith("Field 'points[0].step'")
    assert job.call("POST", "metrics", json={"points": [point | {"step": 2**63 - 1}]}).is_success
