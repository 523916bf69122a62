"""Training, measuring and passing models on, from the command line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from safetensors.torch import load_file

from tests.cli.conftest import Person
from tests.engine.tiny import Tiny

SPEC = """\
name: tiny
task: {class_path: tests.engine.tiny.Tiny, init_args: {width: 8}}
loader: {batch_size: 8}
optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 1e-2}}
trainer: {max_duration: 2ep, log_every: 1ba}
"""
RUNS = Path(".data") / "experiments"


class Breaks(Tiny):
    """A task whose code has a defect where it is wide."""

    def build_model(self):
        if self.config.width > 8:
            raise ValueError("too wide")
        return super().build_model()


@pytest.fixture
def me(nobody: Person) -> Person:
    (nobody.home / "tiny.yaml").write_text(SPEC)
    return nobody


@pytest.fixture
def trained(me: Person) -> Person:
    me.ok("train", "tiny.yaml", "-q", "--folder", RUNS / "first")
    return me


def run_folders(person: Person) -> list[str]:
    folder = person.home / RUNS
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_train_shows_progress_and_what_came_of_it(me: Person) -> None:
    result = me.ok("train", "tiny.yaml", "trainer.max_duration=1ep", "--folder", "runs/one")
    lines = result.out.splitlines()
    assert lines[0].startswith("run tiny: ")
    assert any("validation/loss" in line and "step 5" in line for line in lines)
    fields = dict(line.split(maxsplit=1) for line in lines[-4:])
    assert fields["run"] == "runs/one"
    assert fields["status"] == "succeeded"
    assert fields["model"] == "runs/one/model: epoch 1, update 5"
    assert float(fields["validation/loss"]) > 0
    assert "Console" in (me.home / "runs" / "one" / "spec.yaml").read_text()


def test_train_quietly_and_as_json(me: Person) -> None:
    assert me.ok("train", "tiny.yaml", "-q").out.splitlines()[0].startswith("run   ")
    found = me.ok("train", "tiny.yaml", "--json").json
    assert (found["status"], found["model"]["step"]) == ("succeeded", 10)
    assert "loggers: []" in (Path(found["folder"]) / "spec.yaml").read_text()


def test_print_config_gives_the_whole_spec(me: Person) -> None:
    printed = me.ok("train", "tiny.yaml", "seed=7", "--print-config").out
    assert "seed: 7" in printed
    assert "keep_best: 1" in printed
    (me.home / "whole.yaml").write_text(printed)
    assert me.ok("train", "whole.yaml", "--print-config").out == printed
    assert run_folders(me) == []


def test_dry_run_writes_nothing(me: Person) -> None:
    before = sorted(me.home.rglob("*"))
    result = me.ok("train", "tiny.yaml", "--dry-run")
    for text in ("float32[8, 4], int64[8]", "train 40, validation 17, test 17", "2ep = 10 updates"):
        assert text in result.out
    assert sorted(me.home.rglob("*")) == before


def test_resume_shows_what_changes_and_goes_on(trained: Person) -> None:
    result = trained.ok("train", "--resume", "last", "trainer.max_duration=3ep", "-q")
    assert "changed on resuming: trainer.max_duration: '2ep' -> '3ep'" in result.err
    lines = (trained.home / RUNS / "first" / "metrics.jsonl").read_text().splitlines()
    assert max(json.loads(line)["step"] for line in lines) == 15
    refused = trained("train", "--resume", "first", "seed=3")
    assert "cannot change seed: 0 -> 3" in refused.err
    assert "leave out tiny.yaml" in trained("train", "tiny.yaml", "--resume", "first").err


def test_weights_are_what_training_begins_with(trained: Person) -> None:
    weights = trained.home / RUNS / "first" / "model" / "weights.safetensors"
    trained.ok(
        "train", "tiny.yaml", "optimizer.lr=0.0", "--weights", weights, "-q", "--folder", RUNS / "again"
    )
    again = load_file(trained.home / RUNS / "again" / "model" / "weights.safetensors")
    assert again["0.weight"].equal(load_file(weights)["0.weight"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name a spec file"),
        (["tinny.yaml"], "tinny.yaml: there is no such file; did you mean 'tiny.yaml'?"),
        (["tiny.yaml", "optimzer.lr=3"], "no 'optimzer'; did you mean 'optimizer'?"),
        (["tiny.yaml", "trainer.max_duration=3"], "expected a duration such as 10ep"),
        (["tiny.yaml", "task.class_path=tests.engine.tiny.Tinny"], "did you mean 'Tiny'?"),
        (["tiny.yaml", "optimizer.lr=fast"], "optimizer.init_args.lr: expected number"),
        (["tiny.yaml", "--weights", "no.safetensors"], "no.safetensors: there is no such file"),
        (["--resume", "nothing"], "there is no run 'nothing'"),
        (["tiny.yaml", "--trials", "3"], "say of what: --sweep"),
        (["tiny.yaml", "--sweep", "seed=1,2", "--dry-run"], "--dry-run: works on one spec"),
        (["tiny.yaml", "--sweep", "optimizer.lr=log(1,2)"], "say how many --trials"),
        (["tiny.yaml", "--sweep", "seed=1", "--sweep", "seed=2"], "--sweep seed: is there twice"),
        (["tiny.yaml", "--dry-run", "--find-lr"], "give one of them"),
    ],
)
def test_bad_input_gives_one_sentence(me: Person, words: list[str], sentence: str) -> None:
    result = me("train", *words, "-q")
    assert result.code == 1
    assert sentence in result.err
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1


def test_an_option_that_does_not_exist(me: Person) -> None:
    assert me("train", "tiny.yaml", "--fast").code == 2


def test_a_device_that_is_not_there_leaves_no_folder(me: Person) -> None:
    assert "there is no cuda:99" in me("train", "tiny.yaml", "trainer.device=cuda:99").err
    assert run_folders(me) == []


def test_find_lr(me: Person) -> None:
    found = me.ok("train", "tiny.yaml", "--find-lr", "--folder", "lr", "--json").json
    assert 1e-5 < found["suggestion"] < 1
    assert (me.home / "lr" / "learning_rates.png").read_bytes().startswith(b"\x89PNG")
    numbers = json.loads((me.home / "lr" / "learning_rates.json").read_text())
    assert len(numbers["learning_rates"]) == len(numbers["smoothed_losses"]) > 10
    assert run_folders(me) == []


def test_a_sweep_ends_with_one_table(me: Person) -> None:
    result = me.ok(
        "train", "tiny.yaml", "-q", "--sweep", "optimizer.lr=1e-2,1e-4", "--sweep", "task.width=4,8"
    )
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0] == ["run", "task.width", "optimizer.lr", "status", "best", "validation/loss"]
    assert [line[1:4] for line in lines[1:]] == [
        ["4", "0.01", "succeeded"],
        ["8", "0.01", "succeeded"],
        ["4", "0.0001", "succeeded"],
        ["8", "0.0001", "succeeded"],
    ]
    assert sum(line[-1].endswith("*") for line in lines[1:]) == 1
    (sweep,) = run_folders(me)
    assert sorted(path.name for path in (me.home / RUNS / sweep).iterdir())[0] == "01-lr=1e-2,width=4"
    assert len(me.ok("runs", "ls", "--json").json) == 4


def test_one_that_fails_does_not_stop_the_others(me: Person) -> None:
    words = ["tiny.yaml", "task.class_path=tests.cli.test_train.Breaks", "--sweep", "task.width=9,8"]
    result = me("train", *words, "--json")
    assert result.code == 1
    assert [one["status"] for one in result.json] == ["failed", "succeeded"]
    assert result.json[0]["settings"] == {"task.width": 9}
    assert "too wide" in result.json[0]["error"]
    table = me("train", *words, "-q", "--fail-fast").out.splitlines()
    assert len(table) == 2
    assert "too wide" in table[1]


def test_a_value_that_no_part_takes_is_found_before_anything_is_trained(me: Person) -> None:
    result = me("train", "tiny.yaml", "--sweep", "task.widht=4,8")
    assert result.code == 1
    assert "'widht'; did you mean 'width'" in result.err
    assert run_folders(me) == []


def test_several_specs_in_one_call(me: Person) -> None:
    (me.home / "other.yaml").write_text(SPEC.replace("lr: 1e-2", "lr: 1e-3"))
    found = me.ok("train", "tiny.yaml", "other.yaml", "seed=1", "--json").json
    assert [one["settings"] for one in found] == [{"optimizer.lr": 0.01}, {"optimizer.lr": 0.001}]
    (me.home / "other.yaml").write_text(SPEC.replace("lr: 1e-2", "lr: 1e-3") + "nonsense: 1\n")
    assert "other.yaml:6: unknown key 'nonsense'" in me("train", "tiny.yaml", "other.yaml").err
    assert len(run_folders(me)) == 2  # nothing was trained before all were read


def test_optuna_learns_from_the_monitored_metric(me: Person) -> None:
    pytest.importorskip("optuna")
    words = [
        "tiny.yaml",
        "trainer.max_duration=1ep",
        "--sweep",
        "optimizer.lr=log(1e-4,1e-1)",
        "--trials",
        "4",
    ]
    found = me.ok("train", *words, "--search", "optuna", "--json").json
    assert len({one["settings"]["optimizer.lr"] for one in found}) == 4
    again = me.ok("train", *words, "--search", "optuna", "--json").json
    assert [one["settings"] for one in again] == [one["settings"] for one in found]
    unknown = me("train", *words, "--search", "optuna", "-q", "trainer.validate_every=null")
    assert "has no 'validation/loss' to learn from" in unknown.err


def test_eval(trained: Person) -> None:
    best = trained.ok("eval", "last", "--json").json
    assert list(best) == ["test/loss"]
    assert trained.ok("eval", RUNS / "first" / "model", "--json").json == best
    assert trained.ok("eval", "first", "loader.eval_batch_size=17", "--json").json == pytest.approx(best)
    shown = trained.ok("eval", "last", "--split", "validation", "--last").out
    assert shown.split()[0] == "validation/loss"
    assert "there is no split 'tset'" in trained("eval", "last", "--split", "tset").err
    assert "there is no run 'x'" in trained("eval", "x").err
    trained("train", "tiny.yaml", "trainer.freeze=[nothing]", "-q", "--folder", RUNS / "bad")
    assert "its training did not begin" in trained("eval", "bad").err


def test_predict(trained: Person) -> None:
    assert trained.ok("predict", "last").out == "predictions.jsonl: 17 predictions\n"
    lines = [json.loads(line) for line in (trained.home / "predictions.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(17))
    assert len(lines[0]["prediction"]) == 3
    assert trained.ok("predict", "last", "-o", "-").out == (trained.home / "predictions.jsonl").read_text()
    trained.ok("predict", "last", "-o", "p.parquet")
    assert pl.read_parquet(trained.home / "p.parquet")["prediction"][3].to_list() == pytest.approx(
        lines[3]["prediction"]
    )
    trained.ok("predict", "last", "-o", "p.safetensors")
    assert load_file(trained.home / "p.safetensors")["predictions"].shape == (17, 3)
    assert "choose one" in trained("predict", "last", "-o", "p.csv").err


def test_weights(trained: Person) -> None:
    trained.ok("weights", "save", "last", "w.safetensors")
    assert load_file(trained.home / "w.safetensors")["0.weight"].shape == (8, 4)
    shown = trained.ok("weights", "show", "w.safetensors")
    assert "0.weight               8 x 4   F32   128 B" in shown.out
    assert "9 tensors, 100 numbers" in shown.err
    entry = trained.ok("weights", "show", "w.safetensors", "--json").json[0]
    assert entry.keys() == {"name", "shape", "dtype", "size_bytes"}
    assert "is not a safetensors file" in trained("weights", "show", "tiny.yaml").err
    assert "choose such a name" in trained("weights", "save", "last", "w.pt").err


def test_save_and_load(trained: Person) -> None:
    assert trained.ok("save", "last", "tiny.zip").out.startswith("tiny.zip: ")
    score = trained.ok("eval", "tiny.zip", "--json").json
    assert trained.ok("load", "tiny.zip").out == f"{RUNS / 'tiny'}\n"
    assert trained.ok("eval", "tiny", "--json").json == score
    assert "exists already" in trained("load", "tiny.zip").err
    trained.ok("train", "--resume", "tiny", "trainer.max_duration=3ep", "-q")
    assert "choose such a name" in trained("save", "last", "tiny.tar").err


def test_signals_end_a_sweep_with_their_codes(me: Person) -> None:
    (me.home / "tiny_file.py").write_text((Path(__file__).parents[1] / "engine" / "tiny.py").read_text())
    spec = SPEC.replace("tests.engine.tiny.Tiny", "tiny_file.py:Tiny").replace("2ep", "100000ep")
    (me.home / "long.yaml").write_text(spec)
    command = [sys.executable, "-m", "sightline.cli.main", "train", "long.yaml", "--sweep", "seed=1,2"]
    process = subprocess.Popen(
        command, cwd=me.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout
    assert any("validation/loss" in line for line in process.stdout)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 75, err
    assert "01-seed=1" in out
    assert "interrupted" in out
    assert "training 2 of 2" not in err
    assert "stopped by SIGTERM; its state is saved" in err
