from pathlib import Path

import pytest

from sightline.job_contract import FOLDERS, SIGNS, in_job, job_folder


@pytest.fixture(autouse=True)
def outside_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*SIGNS, *(name for names in FOLDERS.values() for name in names)]:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("name", "value"), SIGNS.items())
def test_each_sign_alone_says_that_this_is_a_job(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert not in_job()
    monkeypatch.setenv(name, value)
    assert in_job()


def test_a_sign_that_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_JOB", "0")
    monkeypatch.setenv("HAFNIA_CLOUD", "false")
    assert not in_job()


@pytest.mark.parametrize(("role", "name"), [(role, name) for role in FOLDERS for name in FOLDERS[role]])
def test_each_name_alone_gives_the_folder(monkeypatch: pytest.MonkeyPatch, role: str, name: str) -> None:
    assert job_folder(role) is None
    monkeypatch.setenv(name, "/opt/ml/somewhere")
    assert job_folder(role) == Path("/opt/ml/somewhere")


def test_our_own_name_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MDI_MODEL_DIR", "/theirs")
    monkeypatch.setenv("SIGHTLINE_MODEL_DIR", "/ours")
    assert job_folder("model") == Path("/ours")
