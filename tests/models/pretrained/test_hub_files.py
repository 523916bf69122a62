"""The Hub's own client against a Hub that runs here."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from sightline.errors import SightlineError
from sightline.models.pretrained.hub_files import hub_file

COMMIT = "1" * 40
FILES = {
    "/owner/model/resolve/main/pytorch_model.bin": b"weights",
    "/owner/model/resolve/main/model.txt": b"text",
}


class Hub(BaseHTTPRequestHandler):
    """Answers as the Hub does for a public repository."""

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        body = FILES.get(self.path)
        if body is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
        else:
            self.send_response(200)
            self.send_header("ETag", f'"{len(body)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if with_body and body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    yield server
    server.shutdown()
    server.server_close()


def test_the_first_name_that_the_hub_has_is_fetched_once(hub: ThreadingHTTPServer) -> None:
    names = ("model.safetensors", "pytorch_model.bin")
    path = hub_file("owner/model", names)
    assert path.name == "pytorch_model.bin"
    assert path.read_bytes() == b"weights"
    hub.shutdown()
    hub.server_close()
    assert hub_file("owner/model", names) == path


def test_a_repository_without_the_file_is_named(hub: ThreadingHTTPServer) -> None:
    with pytest.raises(SightlineError, match=r"owner/model has no a\.bin or b\.bin"):
        hub_file("owner/model", ("a.bin", "b.bin"))


def test_an_absent_hub_is_noticed_at_once(hub: ThreadingHTTPServer) -> None:
    hub.shutdown()
    hub.server_close()
    with pytest.raises(SightlineError, match=r"127\.0\.0\.1 cannot be reached: Connection refused"):
        hub_file("owner/model", ("pytorch_model.bin",))
