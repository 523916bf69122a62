from collections.abc import Iterator

import pytest

from sightline.client import ServiceClient
from tests.client.flaky_server import FlakyServer, running


@pytest.fixture
def flaky() -> Iterator[FlakyServer]:
    with running(FlakyServer()) as server:
        yield server


@pytest.fixture
def client(flaky: FlakyServer) -> Iterator[ServiceClient]:
    with ServiceClient(flaky.url, "key-of-a-test", timeout=5) as client:
        yield client
