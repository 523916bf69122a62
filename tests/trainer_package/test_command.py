import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import SightlineError
from sightline.trainer_package import parse_command

NAMES = {"Dockerfile", "scripts/train.py", "scripts/evaluate.py", "scripts/run.sh", "src/trainer/__main__.py"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python scripts/train.py", ["python", "scripts/train.py"]),
        ("scripts/train.py --lr 0.1", ["python", "scripts/train.py", "--lr", "0.1"]),
        ("python3.11 -u -X dev ./scripts/train.py", ["python3.11", "-u", "-X", "dev", "./scripts/train.py"]),
        ("python /opt/ml/code/scripts/train.py", ["python", "/opt/ml/code/scripts/train.py"]),
        ("python -m torch.distributed.run x.py", ["python", "-m", "torch.distributed.run", "x.py"]),
        ("python -c 'print(1)'", ["python", "-c", "print(1)"]),
        ("python src/trainer", ["python", "src/trainer"]),
        ("bash scripts/run.sh", ["bash", "scripts/run.sh"]),
        ("bash -c 'a && b > $C'", ["bash", "-c", "a && b > $C"]),
        ("scripts/run.sh", ["scripts/run.sh"]),
        (
            "torchrun --nproc-per-node 2 scripts/train.py",
            ["torchrun", "--nproc-per-node", "2", "scripts/train.py"],
        ),
        ("/bin/true", ["/bin/true"]),
        ("env A=1 python x.py", ["env", "A=1", "python", "x.py"]),
        (
            "scripts/train.py --name 'two words; $x' ';'",
            ["python", "scripts/train.py", "--name", "two words; $x", ";"],
        ),
        ("scripts/train.py --regex 'a|b'", ["python", "scripts/train.py", "--regex", "a|b"]),
    ],
)
def test_commands(command: str, words: list[str]) -> None:
    assert parse_command(command, NAMES) == words


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("", "The command is empty; give one such as 'python scripts/train.py'."),
        ("   ", "is empty"),
        ("''", "is empty"),
        ("python 'scripts/train.py", "has an open quote"),
        (
            "python scripts/trian.py",
            "did you mean 'scripts/train.py'? It has: scripts/evaluate.py, scripts/run.sh, scr",
        ),
        ("train.py", "'train.py', which is not in the package; did you mean 'scripts/train.py'?"),
        ("python ../scripts/train.py", "'../scripts/train.py', which is not in the package"),
        ("python /opt/ml/code/train.py", "did you mean 'scripts/train.py'?"),
        ("python 'zzz qqq'", "which is not in the package; it has: "),
        ("./start.sh", "'./start.sh', which is not in the package"),
        ("bash scripts/go.sh", "'scripts/go.sh', which is not in the package"),
        ("torchrun --nproc-per-node=2 trein.py", "'trein.py', which is not in the package"),
        ("LR=1 python scripts/train.py", "write 'env LR=1 ...'"),
        ("python scripts/train.py && echo done", "has &&, but no shell reads it"),
        ("python scripts/train.py; ls", "has scripts/train.py;, but no shell"),
        ("python scripts/train.py 2>&1 | tee log", "has 2>&1, but no shell"),
        ("python scripts/train.py >log", "has >log, but no shell"),
        ("python scripts/train.py --data $MDI_DATASET_DIR", "has $MDI_DATASET_DIR, but no shell"),
        ('python scripts/train.py --at "$(date)"', "but no shell reads it"),
    ],
)
def test_commands_that_cannot_run(command: str, sentence: str) -> None:
    with pytest.raises(SightlineError) as caught:
        parse_command(command, NAMES)
    assert sentence in str(caught.value)


def test_a_package_without_scripts() -> None:
    with pytest.raises(SightlineError, match="it has no scripts"):
        parse_command("train.py", [])


def test_many_scripts_are_summed_up() -> None:
    with pytest.raises(SightlineError, match=r"s9\.py and 15 more\.$|and 15 more"):
        parse_command("python x", [f"scripts/s{number}.py" for number in range(25)])


@given(st.text())
def test_any_text_gives_words_or_a_sentence(command: str) -> None:
    try:
        words = parse_command(command, NAMES)
    except SightlineError:
        return
    assert words
    assert words[0]
