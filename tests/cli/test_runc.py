from pathlib import Path

from sightline.sandbox import available
from tests.cli.conftest import Person
from tests.needs import needs


def test_the_sandbox_on_the_sample(developer: Person, published: str, package: Path) -> None:
    needs("a namespace sandbox", "namespace" in available())
    result = developer.ok(
        *("runc", "launch-local", "--dataset", published, "--trainer", package, "--output", "launched"),
        "python scripts/train.py",
    )
    assert result.out.splitlines()[-1] == "items 4"
    assert "no network" in result.err
    assert (developer.home / "launched" / "model" / "model.txt").read_text() == "learned"
    again = developer(
        "runc", "launch-local", "-d", published, "-p", package, "-o", "launched", "scripts/train.py"
    )
    assert again.code == 1
    assert "launched: is not empty; choose another --output" in again.err


def test_a_job_that_fails_without_isolation(
    developer: Person, published: str, package: Path, squares: Path
) -> None:
    result = developer(
        *("runc", "launch-local", "--dataset", squares, "--trainer", package, "--sandbox", "process"),
        "scripts/train.py 3",
    )
    assert result.code == 1
    assert "items 12" in result.out
    assert "NO ISOLATION" in result.err
    assert "'scripts/train.py 3' did not succeed: " in result.err


def test_mistakes_are_named(developer: Person, package: Path, published: str) -> None:
    launch = ("runc", "launch-local", "--trainer", package)
    assert "did you mean 'scripts/train.py'" in developer(*launch, "-d", published, "scripts/trian.py").err
    assert "Dataset 'nope' is unknown" in developer(*launch, "-d", "nope", "scripts/train.py").err
    assert "./nope: is no dataset" in developer(*launch, "-d", "./nope", "scripts/train.py").err
