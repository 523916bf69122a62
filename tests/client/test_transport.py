import socket
import time

import pytest

from sightline.client import ServiceClient, ServiceError
from sightline.client.errors import ServiceUnreachableError
from sightline.client.transport import checked_key, checked_url
from sightline.client.wire import ExperimentCreate, Role, UserCreate
from sightline.errors import SightlineError
from tests.client.flaky_server import FlakyServer, Handler

HEALTH = {"status": "ok", "version": "9.9"}


def test_speaks_to_the_api_with_the_key(flaky: FlakyServer, client: ServiceClient) -> None:
    flaky.routes["/health"] = lambda handler: handler.answer_json(200, HEALTH | {"grown": "later"})
    assert client.health().version == "9.9"
    assert flaky.seen[0].headers["Authorization"] == "ApiKey key-of-a-test"


def test_idempotent_calls_are_tried_again(flaky: FlakyServer, client: ServiceClient) -> None:
    moods = iter(["break", 503, 200])

    def moody(handler: Handler) -> None:
        mood = next(moods)
        if mood == "break":
            handler.break_off()
        else:
            handler.answer_json(int(mood), HEALTH if mood == 200 else {"detail": "starting up"})

    flaky.routes["/health"] = moody
    assert client.health().status == "ok"
    assert len(flaky.seen) == 3


def test_creating_is_never_tried_again(flaky: FlakyServer, client: ServiceClient) -> None:
    flaky.routes["/experiments"] = Handler.break_off
    request = ExperimentCreate(name="x", trainer="t", dataset="d", command="c")
    with pytest.raises(ServiceUnreachableError):
        client.create_experiment(request)
    assert len(flaky.asked("POST", "/experiments")) == 1


def test_a_service_that_is_down_is_named_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    started = time.monotonic()
    with (
        ServiceClient(f"http://127.0.0.1:{port}", "key") as client,
        pytest.raises(
            ServiceUnreachableError, match=rf"cannot reach http://127.0.0.1:{port} .*is the service up"
        ),
    ):
        client.me()
    assert time.monotonic() - started < 3


def test_a_service_that_never_answers_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            ServiceClient(url, "key", timeout=0.2, patience_s=0) as client,
            pytest.raises(ServiceUnreachableError, match="does not answer in time"),
        ):
            client.me()


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422, 500])
def test_the_services_own_sentence_is_the_error(
    flaky: FlakyServer, client: ServiceClient, status: int
) -> None:
    flaky.routes["/users"] = lambda handler: handler.answer_json(status, {"detail": "Say please."})
    with pytest.raises(ServiceError, match=r"^Say please\.$") as caught:
        client.create_user(UserCreate(name="ada", role=Role.OWNER))
    assert caught.value.status == status


def test_a_wrong_key_is_named_by_where_it_came_from(flaky: FlakyServer) -> None:
    flaky.routes["/me"] = lambda handler: handler.answer_json(401, {"detail": "no"})
    origin = "the API key of profile 'work'"
    with (
        ServiceClient(flaky.url, "secret-key", key_origin=origin) as client,
        pytest.raises(ServiceError) as caught,
    ):
        client.me()
    assert "does not accept the API key of profile 'work'" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.status == 401


def test_validation_errors_of_the_framework_become_a_sentence(
    flaky: FlakyServer, client: ServiceClient
) -> None:
    problem = {"detail": [{"loc": ["body", "name"], "msg": "String should match pattern", "type": "x"}]}
    flaky.routes["/me"] = lambda handler: handler.answer_json(422, problem)
    with pytest.raises(ServiceError, match="name: String should match pattern"):
        client.me()


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b'{"status": "strange"}'])
def test_something_else_behind_the_address(flaky: FlakyServer, client: ServiceClient, body: bytes) -> None:
    flaky.routes["/health"] = lambda handler: handler.answer(200, body, {"Content-Type": "text/html"})
    with pytest.raises(ServiceError, match="does not answer like a Sightline service"):
        client.health()


def test_a_path_that_the_service_does_not_know(client: ServiceClient) -> None:
    with pytest.raises(ServiceError, match="is this the address of a Sightline service") as caught:
        client.me()
    assert caught.value.status == 404


def test_names_cannot_change_the_path(flaky: FlakyServer, client: ServiceClient) -> None:
    with pytest.raises(ServiceError):
        client.dataset("../users?x=1")
    assert flaky.seen[0].path == "/api/v1/datasets/..%2Fusers%3Fx%3D1"
    with pytest.raises(SightlineError, match="neither a name nor an id"):
        client.delete_dataset("..")
    with pytest.raises(SightlineError, match="neither a name nor an id"):
        client.delete_dataset("")


def test_a_proxy_is_not_asked_for_this_machine(flaky: FlakyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    flaky.routes["/health"] = lambda handler: handler.answer_json(200, HEALTH)
    with ServiceClient(flaky.url, "key") as client:
        assert client.health().status == "ok"


def test_all_pages_of_a_listing_are_read(flaky: FlakyServer, client: ServiceClient) -> None:
    def page(handler: Handler) -> None:
        number = int(handler.path.split("page=")[1].split("&")[0])
        users = [
            {"id": str(i), "name": f"u{i}", "role": "owner", "created_at": "2026-01-01T00:00:00Z"}
            for i in range(230)
        ]
        handler.answer_json(200, {"count": 230, "data": users[(number - 1) * 100 : number * 100]})

    flaky.routes["/users"] = page
    assert [user.id for user in client.users()] == [str(i) for i in range(230)]
    assert len(flaky.seen) == 3


@pytest.mark.parametrize(
    "typed", ["http://h:1", "http://h:1/", " http://h:1/api/v1/ ", "http://h:1/api/v1", "http://h:1//"]
)
def test_urls_are_tidied(typed: str) -> None:
    assert checked_url(typed) == "http://h:1"


@pytest.mark.parametrize("typed", ["", "localhost:8000", "ftp://h", "http://", "h", "http://[::1"])
def test_what_is_no_url_is_refused(typed: str) -> None:
    with pytest.raises(SightlineError, match="is not a URL"):
        checked_url(typed)


@pytest.mark.parametrize("typed", ["", "  ", "a b", "schlüssel", "a\nb", "“quoted”"])
def test_what_is_no_key_is_refused(typed: str) -> None:
    with pytest.raises(SightlineError, match="the API key"):
        checked_key(typed, "the API key")
    assert checked_key(" key\n", "the API key") == "key"
