"""Environments for trainer packages, built from local wheels without a network."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.files import written_whole
from sightline.sandbox import PythonEnvironment
from sightline.sandbox.python_environment import host_environment, prepare
from tests.needs import needs
from tests.sandbox.harness import REPOSITORY, Harness, find_marked, run_here
from tests.sandbox.wheels import make_source, make_wheel


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place that packages can come from."""
    needs("the package uv", available=find_spec("uv") is not None)
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("UV_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    return folder


class Preparing:
    def __init__(self, harness: Harness, cache: Path) -> None:
        self.harness, self.cache, self.said = harness, cache, []

    def __call__(self, *requirements: str) -> PythonEnvironment:
        job = self.harness.job("true")
        # Whole at once: several that prepare at the same time share this folder.
        with written_whole(job.folders.code / "requirements.txt") as temporary:
            temporary.write_text("\n".join(requirements))
        self.said: list[str] = []
        return prepare(
            job.folders.code,
            self.cache,
            lambda _, text: self.said.append(text),
            sandbox=self.harness.sandbox(),
        )

    def run(self, python: PythonEnvironment, script: str) -> list[str]:
        job = self.harness.job(script=script)
        result = run_here(self.harness.sandbox(), replace(job, python=python))
        assert result.outcome.exit_code == 0, result
        return result.text()

    def finished(self) -> list[Path]:
        return [path for path in (self.cache / "environments").iterdir() if path.is_dir()]


@pytest.fixture
def preparing(own_kind: Harness, tmp_path: Path) -> Preparing:
    return Preparing(own_kind, tmp_path / "cache")


@pytest.fixture
def preparing_here(in_process: Harness, tmp_path: Path) -> Preparing:
    return Preparing(in_process, tmp_path / "cache")


def test_what_the_host_has_is_reused_at_once(preparing_here: Preparing) -> None:
    begun = time.perf_counter()
    assert preparing_here("numpy>=1", "pytest; python_version >= '3.0'", "absent; sys_platform == 'win32'")
    assert preparing_here("sightline", "pydantic") == host_environment()
    assert time.perf_counter() - begun < 0.5
    assert not preparing_here.cache.exists()
    assert preparing_here.said == []


def test_no_requirements_at_all(preparing_here: Preparing) -> None:
    assert preparing_here() == host_environment()


def test_builds_once_and_reuses(preparing: Preparing, wheels: Path) -> None:
    make_wheel(wheels, "tinynet", requires="tinyops>=2")
    make_wheel(wheels, "tinyops", "2.1")
    python = preparing("tinynet==1.0")
    assert preparing.said[0] == "building a Python environment: this machine's own lacks tinynet"
    assert any("tinyops==2.1" in line for line in preparing.said)
    assert preparing.run(python, "import tinynet, tinyops; print(tinynet.version, tinyops.version)") == [
        "1.0 2.1"
    ]
    assert preparing("tinynet==1.0") == python
    assert preparing.said == []
    assert [python.interpreter.parents[1]] == preparing.finished()
    assert [path.name for path in (preparing.cache / "building").iterdir()] == ["uv-cache"]


def test_it_is_apart_from_the_host_but_for_sightline(preparing: Preparing, wheels: Path) -> None:
    make_wheel(wheels, "tinynet")
    python = preparing("tinynet")
    script = """
import sightline, sys
print(sightline.__version__, sys.prefix != sys.base_prefix)
try:
    import pytest
except ImportError:
    print("no pytest")
"""
    import sightline

    assert preparing.run(python, script) == [f"{sightline.__version__} True", "no pytest"]


def test_requiring_sightline_brings_what_it_needs(preparing_here: Preparing, wheels: Path) -> None:
    make_wheel(wheels, "tinynet")
    with pytest.raises(SightlineError, match=r"cannot be installed: .*(httpx|numpy|polars|typer)"):
        preparing_here("sightline", "tinynet")


def test_another_sightline_is_refused(preparing_here: Preparing) -> None:
    with pytest.raises(SightlineError, match=r"asks for sightline>=99, but jobs on this machine run with"):
        preparing_here("sightline>=99")


def test_another_python_is_refused(preparing_here: Preparing) -> None:
    job = preparing_here.harness.job("true")
    (job.folders.code / "pyproject.toml").write_text('[project]\nname = "x"\nrequires-python = "<3"\n')
    with pytest.raises(SightlineError, match=r"requires-python is '<3', but jobs .* run Python 3"):
        preparing_here()


def test_a_package_that_does_not_exist(preparing: Preparing, wheels: Path) -> None:
    with pytest.raises(SightlineError, match=r"cannot be installed: error: .*no-such-package") as caught:
        preparing("no-such-package")
    assert "\n" not in str(caught.value)
    assert preparing.finished() == []
    assert all(path.name == "uv-cache" for path in (preparing.cache / "building").iterdir())


def test_sources_are_built_apart_from_data_and_secrets(
    preparing: Preparing, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the owner's data")
    monkeypatch.setenv("SIGHTLINE_API_KEY", "secret")
    shared = preparing.cache / "building" / "uv-cache" / "planted"
    code = f"""
import os
found["key"] = os.environ.get("SIGHTLINE_API_KEY")
for name, action in dict(
    secret=lambda: open({str(secret)!r}).read(),
    cache=lambda: open({str(shared)!r}, "w").write("x"),
).items():
    try:
        found[name] = action()
    except OSError as error:
        found[name] = type(error).__name__
"""
    make_source(wheels, "tinysource", code)
    python = preparing("tinysource")
    found = preparing.run(python, "import tinysource; print(tinysource.found)")[0]
    assert "'key': None" in found
    if preparing.harness.isolated:
        assert "owner" not in found
        assert not shared.exists()


def test_two_that_need_the_same_build_it_once(own_kind: Harness, wheels: Path, tmp_path: Path) -> None:
    make_wheel(wheels, "tinynet")
    each = [Preparing(own_kind, tmp_path / "cache") for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda preparing: preparing("tinynet"), each))
    assert found[0] == found[1] == found[2]
    assert sum(bool(preparing.said) for preparing in each) == 1


def test_cancelling_a_build(preparing_here: Preparing, wheels: Path) -> None:
    make_source(wheels, "tinyslow", "import time; time.sleep(60)")
    job = preparing_here.harness.job("true")
    (job.folders.code / "requirements.txt").write_text("tinyslow")
    cancel = threading.Event()
    timer = threading.Timer(1.0, cancel.set)
    timer.start()
    with pytest.raises(SightlineError, match="was cancelled"):
        prepare(
            job.folders.code,
            preparing_here.cache,
            lambda *_: None,
            sandbox=preparing_here.harness.sandbox(),
            cancel=cancel,
        )
    timer.join()
    assert preparing_here.finished() == []


def test_a_killed_build_leaves_nothing_that_looks_finished(preparing: Preparing, wheels: Path) -> None:
    mark = f"tinystuck{os.getpid()}{preparing.harness.tool}"
    make_source(wheels, mark, "import time; time.sleep(60 if not found else 0)")
    job = preparing.harness.job("true")
    (job.folders.code / "requirements.txt").write_text(mark)
    script = f"""
from pathlib import Path
from sightline.sandbox.python_environment import prepare
from tests.sandbox.harness import make_sandbox
prepare(Path({str(job.folders.code)!r}), Path({str(preparing.cache)!r}), lambda s, t: print(t, flush=True),
        sandbox=make_sandbox({preparing.harness.tool!r}))
"""
    builder = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert builder.stdout is not None
    for line in builder.stdout:
        if "built from source" in line:
            break
    time.sleep(0.5)
    assert preparing.finished() == []
    builder.send_signal(signal.SIGKILL)
    builder.communicate()
    until = time.monotonic() + 5
    while find_marked(mark) and time.monotonic() < until:
        time.sleep(0.05)
    assert find_marked(mark) == []
    (wheels / f"{mark}-1.0.tar.gz").unlink()
    make_wheel(wheels, mark)
    assert preparing.run(preparing(mark), f"import {mark}; print({mark}.version)") == ["1.0"]
    assert [path.name for path in (preparing.cache / "building").iterdir()] == ["uv-cache"]
