"""Reports after training and evaluating, from the command line."""

import re
from pathlib import Path

import pytest

from sightline.data import Dataset
from sightline.metrics import evaluate_dataset
from tests.cli.conftest import Person
from tests.tasks.scenes import coloured

SPEC = """\
name: coloured
task:
  class_path: sightline.tasks.Classification
  init_args: {data: {dataset: coloured}, model: {name: small_mlp, options: {width: 16}}}
loader: {batch_size: 9}
trainer: {max_duration: 2ep, log_every: 1ba, monitor: validation/accuracy, mode: max}
"""
RUN = Path("run")


@pytest.fixture
def me(nobody: Person) -> Person:
    coloured(nobody.home)
    (nobody.home / "coloured.yaml").write_text(SPEC)
    return nobody


def test_training_and_evaluating_leave_reports(me: Person) -> None:
    found = me.ok("train", "coloured.yaml", "--folder", RUN, "--json").json
    page = me.home / RUN / "reports" / "validation" / "report.html"
    assert found["report"] == str(page)
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "best.png",
        "confusion.png",
        "curves.png",
        "report.html",
        "worst.png",
    ]
    text = page.read_text()
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    for said in (
        "small_mlp",
        "coloured 1.0.0",
        "<dt>checkpoint</dt>",
        "class_path: sightline.tasks.Classification",
    ):
        assert said in text

    result = me.ok("eval", RUN, "--json")
    assert result.err.strip() == f"report: {RUN}/reports/test/report.html"
    predicted = Dataset.from_path(me.home / RUN / "data" / "predictions-test")
    assert len(predicted) == 6
    assert Path(predicted.samples["file_path"][0]).is_symlink()
    numbers = evaluate_dataset(predicted)
    assert {f"test/{name}": value for name, value in numbers.items()} == {
        name: value for name, value in result.json.items() if name != "test/loss"
    }
    me.ok("eval", RUN)  # again, over the one before


def test_the_end_of_a_training_says_how_the_test_went(me: Person) -> None:
    lines = me.ok("train", "coloured.yaml", "trainer.test_at_end=true", "-q", "--no-report").out.splitlines()
    names = [line.split()[0] for line in lines]
    assert {"validation/accuracy", "test/accuracy", "test/loss"} <= set(names)
    assert not [name for name in names if name.count("/") > 1], "classes one by one are in the report"


def test_reports_are_left_out_where_asked(me: Person) -> None:
    found = me.ok("train", "coloured.yaml", "--folder", RUN, "--json", "--no-report").json
    assert found["report"] is None
    assert "report" not in me.ok("eval", RUN, "--no-report").err
    assert not (me.home / RUN / "reports").exists()
    assert not list((me.home / RUN).glob("data/*"))
    assert "name the run itself" in me.ok("eval", RUN / "model").err


def test_a_training_succeeds_whatever_becomes_of_its_report(me: Person) -> None:
    (me.home / RUN).mkdir()
    (me.home / RUN / "reports").write_text("in the way")
    result = me.ok("train", "coloured.yaml", "--folder", RUN, "-q")
    assert ["status", "succeeded"] in [line.split() for line in result.out.splitlines()]
    assert "warning: there is no report (" in result.err
    assert f"this writes one: sightline eval {me.home / RUN}" in result.err
    assert me("eval", RUN).code == 1


def test_a_job_shows_no_hidden_image(me: Person) -> None:
    folders = {"dataset": me.home / "coloured", "run": me.home / RUN, "artifacts": me.home / "artifacts"}
    names = {"dataset": "DATASET", "run": "RUN", "artifacts": "ARTIFACT"}
    variables = {f"SIGHTLINE_{names[role]}_DIR": str(folder) for role, folder in folders.items()}
    job = Person(me.home, {"SIGHTLINE_JOB": "1", **variables})
    (me.home / "job.yaml").write_text(SPEC.replace("dataset: coloured", "dataset: any-name"))
    job.ok("train", "job.yaml", "-q")
    reports = me.home / RUN / "reports" / "validation"
    assert sorted(path.name for path in reports.iterdir()) == ["confusion.png", "curves.png", "report.html"]
    assert "image/jpeg" not in (reports / "report.html").read_text()
    assert not list(me.home.rglob("predictions-*"))


def test_other_tasks_have_none(nobody: Person) -> None:
    (nobody.home / "tiny.yaml").write_text("name: tiny\ntask: {class_path: tests.engine.tiny.Tiny}\n")
    assert nobody.ok("train", "tiny.yaml", "--folder", RUN, "--json").json["report"] is None
    assert "report" not in nobody.ok("eval", RUN).err
    assert not (nobody.home / RUN / "reports").exists()
