import pytest

from tests.service.world import Caller, World


def test_without_a_key_nothing_is_answered(world: World) -> None:
    sentence = world.nobody.error(401, "GET", "/datasets")
    assert sentence == "The call has no API key; send the header 'Authorization: ApiKey <key>'."
    answer = world.nobody.get("/datasets")
    assert answer.headers["WWW-Authenticate"] == "ApiKey"


@pytest.mark.parametrize("header", ["", "Bearer x", "ApiKey", "ApiKey ", "Basic dXNlcjpwYXNz"])
def test_another_kind_of_authorization_is_no_key(world: World, header: str) -> None:
    assert "has no API key" in world.nobody.error(401, "GET", "/me", headers={"Authorization": header})


def test_wrong_keys_are_refused_in_the_same_words(world: World) -> None:
    right = world.admin.key or ""
    wrong = ["x", "sl_", right[:-1], right + "x", right.upper(), right.replace("sl_", "sl_0")]
    sentences = {Caller(world.send, key).error(401, "GET", "/me") for key in wrong}
    assert sentences == {"The API key is not valid (any more); configure another, or ask an admin for one."}


def test_the_scheme_may_be_written_in_any_case(world: World) -> None:
    headers = {"Authorization": f"apikey {world.admin.key}"}
    assert world.nobody.ok("GET", "/me", headers=headers)["name"] == "admin"


def test_health_docs_and_schema_are_open(world: World) -> None:
    assert world.nobody.ok("GET", "/health")["status"] == "ok"
    assert world.nobody.get("/docs").is_success
    assert world.nobody.get("/openapi.json").is_success


def test_what_does_not_exist_is_not_told_to_strangers(world: World) -> None:
    assert "has no API key" in world.nobody.error(401, "GET", "/nothing")
    assert world.admin.error(404, "GET", "/nothing") == (
        "There is nothing at /api/v1/nothing; the calls are listed at /docs."
    )


def test_agents_run_jobs_and_nothing_else(world: World) -> None:
    assert world.agent.ok("GET", "/me")["role"] == "agent"
    assert "for running jobs only" in world.agent.error(403, "GET", "/datasets")
    assert world.admin.error(403, "POST", "/agent/leases", json={}) == "Only agents may make this call."


def test_a_body_that_is_too_large_is_refused_before_it_is_read(world: World, make_world) -> None:
    small = make_world(max_request_bytes=1000)
    sentence = small.admin.error(413, "POST", "/users", content=b" " * 2000)
    assert sentence == "The call's body is larger than the 1000 B allowed."

    async def unannounced():
        for _ in range(20):
            yield b" " * 100

    answer = small.admin("POST", "/users", content=unannounced())
    assert answer.status_code == 413
