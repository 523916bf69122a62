"""``any_kind`` runs a test under every back end, ``namespace_kind`` under those that isolate.

``own_kind`` leaves out the runs as another user, which go through a helper process.
"""

from collections.abc import Iterator

import pytest

from tests.sandbox.harness import KINDS, NAMESPACE_KINDS, OWN_KINDS, Harness, Helper, made


@pytest.fixture(scope="session")
def helper() -> Iterator[Helper]:
    process = Helper()
    yield process
    process.close()


@pytest.fixture(params=KINDS)
def any_kind(request: pytest.FixtureRequest, helper: Helper) -> Iterator[Harness]:
    with made(request.param, helper) as harness:
        yield harness


@pytest.fixture(params=NAMESPACE_KINDS)
def namespace_kind(request: pytest.FixtureRequest, helper: Helper) -> Iterator[Harness]:
    with made(request.param, helper) as harness:
        yield harness


@pytest.fixture(params=OWN_KINDS)
def own_kind(request: pytest.FixtureRequest, helper: Helper) -> Iterator[Harness]:
    with made(request.param, helper) as harness:
        yield harness


@pytest.fixture
def in_process(helper: Helper) -> Iterator[Harness]:
    """The process back end, by whoever runs the tests."""
    with made(next(kind for kind in OWN_KINDS if kind.startswith("process")), helper) as harness:
        yield harness
