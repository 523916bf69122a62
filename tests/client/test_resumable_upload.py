import hashlib
from pathlib import Path

import pytest

from sightline.client import ServiceClient, ServiceError
from sightline.client import resumable_upload as uploads
from sightline.client.errors import ServiceUnreachableError
from sightline.client.wire import UploadCreate, Variant
from sightline.errors import SightlineError
from tests.client.flaky_server import FlakyServer, Handler

CONTENT = b"0123456789" * 1000
UPLOADS = "/datasets/digits/uploads"
DATASET = {
    "id": "d1",
    "name": "digits",
    "title": "",
    "overview": "",
    "owner": "ada",
    "version": "1.0.0",
    "policy": {},
    "created_at": "2026-01-01T00:00:00Z",
    "dataset_variants": [],
}


class Receiver:
    """The service's side of an upload. ``mishaps`` says what goes wrong with which chunk (from 0):
    ``lost`` does not arrive, ``mute`` arrives but the answer is lost, ``down`` is a 503."""

    def __init__(self, flaky: FlakyServer, mishaps: dict[int, str] | None = None, there: bytes = b"") -> None:
        self.received = bytearray(there)
        self.mishaps = mishaps or {}
        self.chunks = 0
        flaky.routes |= {
            UPLOADS: lambda handler: handler.answer_json(201, self.state),
            f"{UPLOADS}/u1": self.chunk,
            f"{UPLOADS}/u1/complete": lambda handler: handler.answer_json(200, DATASET),
        }

    @property
    def state(self) -> dict[str, object]:
        return {"id": "u1", "offset": len(self.received), "size_bytes": len(CONTENT)}

    def chunk(self, handler: Handler) -> None:
        if handler.command == "GET":
            return handler.answer_json(200, self.state)
        mishap = self.mishaps.get(self.chunks)
        self.chunks += 1
        if mishap == "lost":
            return handler.break_off()
        if mishap == "down":
            return handler.answer_json(503, {"detail": "starting up"})
        if int(handler.exchange.headers["Upload-Offset"]) != len(self.received):
            return handler.answer_json(409, {"detail": f"the upload is at {len(self.received)}"})
        self.received += handler.exchange.body
        return handler.break_off() if mishap == "mute" else handler.answer_json(200, self.state)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "CHUNK_BYTES", 3000)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive.zip"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize(
    "mishaps", [{}, {1: "lost"}, {1: "mute"}, {0: "down", 2: "mute"}, {0: "lost", 1: "lost", 4: "mute"}]
)
def test_every_byte_arrives_once(
    flaky: FlakyServer, client: ServiceClient, archive: Path, mishaps: dict[int, str]
) -> None:
    receiver = Receiver(flaky, mishaps)
    seen: list[int] = []
    dataset = client.upload_variant(
        "digits", archive, Variant.HIDDEN, "1.0.0", lambda done, _: seen.append(done)
    )
    assert bytes(receiver.received) == CONTENT
    assert dataset.name == "digits"
    assert (seen[0], seen[-1]) == (0, len(CONTENT))
    assert len(flaky.asked("POST", f"{UPLOADS}/u1/complete")) == 1


def test_the_archive_is_announced(flaky: FlakyServer, client: ServiceClient, archive: Path) -> None:
    Receiver(flaky)
    client.upload_variant("digits", archive, Variant.SAMPLE, "1.0.0")
    announced = flaky.asked("POST", UPLOADS)[0].body
    assert hashlib.sha256(CONTENT).hexdigest().encode() in announced
    assert b'"variant":"sample"' in announced


def test_an_interrupted_upload_is_gone_on_with(
    flaky: FlakyServer, client: ServiceClient, archive: Path
) -> None:
    receiver = Receiver(flaky, there=CONTENT[:7000])
    client.upload_variant("digits", archive, Variant.HIDDEN, "1.0.0")
    assert bytes(receiver.received) == CONTENT
    assert receiver.chunks == 1


def test_a_wrong_idea_of_the_offset_is_corrected(
    flaky: FlakyServer, client: ServiceClient, archive: Path
) -> None:
    receiver = Receiver(flaky)
    real = receiver.chunk

    def somebody_else_was_faster(handler: Handler) -> None:
        if handler.command == "PATCH" and not receiver.received:
            receiver.received += CONTENT[:1234]
        real(handler)

    flaky.routes[f"{UPLOADS}/u1"] = somebody_else_was_faster
    client.upload_variant("digits", archive, Variant.HIDDEN, "1.0.0")
    assert bytes(receiver.received) == CONTENT


def test_patience_ends(flaky: FlakyServer, client: ServiceClient, archive: Path) -> None:
    Receiver(flaky, dict.fromkeys(range(1000), "lost"))
    digest = hashlib.sha256(CONTENT).hexdigest()
    announcement = UploadCreate(
        variant=Variant.HIDDEN, version="1.0.0", sha256=digest, size_bytes=len(CONTENT)
    )
    with pytest.raises(ServiceUnreachableError):
        uploads.send_archive(client.transport, UPLOADS, archive, announcement, patience_s=0.3)


def test_a_refused_chunk_is_the_services_sentence(
    flaky: FlakyServer, client: ServiceClient, archive: Path
) -> None:
    Receiver(flaky)
    flaky.routes[f"{UPLOADS}/u1"] = lambda handler: handler.answer_json(413, {"detail": "quota is full"})
    with pytest.raises(ServiceError, match="quota is full"):
        client.upload_variant("digits", archive, Variant.HIDDEN, "1.0.0")


def test_a_version_that_is_none_is_refused_before_anything_is_sent(
    flaky: FlakyServer, client: ServiceClient, archive: Path
) -> None:
    with pytest.raises(SightlineError, match=r"version 'newest' is not allowed: write it like 1\.0\.0"):
        client.upload_variant("digits", archive, Variant.HIDDEN, "newest")
    assert flaky.seen == []
