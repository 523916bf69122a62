import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from sightline import __version__
from sightline.cli.commands import COMMANDS, load, whole_app
from sightline.cli.main import main
from tests.cli.conftest import Person

SIGHTLINE = [sys.executable, "-m", "sightline.cli.main"]


def test_help_lists_every_command(nobody: Person) -> None:
    result = nobody.ok("--help")
    for name, text in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(text)}$", result.out, re.MULTILINE)
    assert result.out == nobody.ok("-h").out
    assert nobody().code == 2
    assert nobody().out == result.out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from sightline.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'typer', 'click', 'rich', 'httpx', 'pydantic', 'numpy', 'polars', 'torch'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_a_command_imports_no_more_than_it_needs() -> None:
    code = (
        "import sys\n"
        "from sightline.cli.main import main\n"
        "try:\n    main(['experiment', 'create', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'rich', 'httpx', 'numpy', 'polars', 'torch'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def _commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        app = load(name)
        if app.info.help:
            found += [(name, str(command.name)) for command in app.registered_commands]
        else:
            found.append((name,))
    return found


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_every_command_explains_itself_with_examples(nobody: Person, words: tuple[str, ...]) -> None:
    result = nobody.ok(*words, "--help")
    assert f"Usage: sightline {' '.join(words)}" in result.out
    assert f"Examples:\n\n    sightline {' '.join(words)}" in result.out


@pytest.mark.parametrize("name", [name for name in COMMANDS if load(name).info.help])
def test_a_group_lists_its_commands(nobody: Person, name: str) -> None:
    result = nobody.ok(name, "--help")
    for command in load(name).registered_commands:
        assert re.search(rf"^  {command.name}  +\w", result.out, re.MULTILINE)


def test_version(nobody: Person) -> None:
    assert nobody.ok("--version").out == f"sightline {__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["datset"], "error: there is no command 'datset'; did you mean 'dataset'?"),
        (["--verson"], "error: there is no option '--verson'; did you mean '--version'?"),
        (["zzzz"], "error: there is no command 'zzzz'; `sightline --help` lists all."),
        (["dataset", "donwload"], "No such command 'donwload'. Did you mean 'download'?"),
        (["dataset", "download", "x", "--forse"], "No such option: --forse"),
        (["dataset", "download"], "Missing argument 'NAME'"),
        (["experiment", "create"], "give one of --dataset and --recipe"),
        (["experiment", "create", "-d", "a", "-p", ".", "-i", "b"], "give one of --trainer-path and"),
    ],
)
def test_what_is_not_understood(nobody: Person, words: list[str], message: str) -> None:
    result = nobody(*words)
    assert result.code == 2
    assert message in result.err
    assert result.out == ""


def test_an_error_is_one_line_and_debug_shows_where_it_came_from(nobody: Person) -> None:
    result = nobody("dataset", "ls")
    assert result.code == 1
    assert result.err.startswith("error: no service is configured; run `sightline configure`")
    assert result.err.count("\n") == 1
    environment = {**os.environ, **nobody.environment()}
    for words, extra in ((["--debug", "dataset", "ls"], {}), (["dataset", "ls"], {"SIGHTLINE_DEBUG": "1"})):
        run = subprocess.run(
            [*SIGHTLINE, *words], env=environment | extra, capture_output=True, text=True, check=False
        )
        assert run.returncode == 1
        assert "Traceback" in run.stderr


def test_a_file_system_error_is_one_line(nobody: Person) -> None:
    (nobody.home / "trainer").mkdir()
    (nobody.home / "file").write_text("")
    result = nobody("experiment", "logs", "x", "--output", "file/log.txt")
    assert result.code == 1
    assert result.err.startswith("error: ")
    assert "Traceback" not in result.err


def test_a_reader_that_goes_away_is_no_error() -> None:
    run = subprocess.run(
        f"{sys.executable} -m sightline.cli.main --help | true",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""


def test_interrupted(nobody: Person) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        variables = {"SIGHTLINE_URL": url, "SIGHTLINE_API_KEY": "key"}
        process = subprocess.Popen(
            [*SIGHTLINE, "dataset", "ls"], env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True
        )
        connection, _ = silent.accept()
        with connection:
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_completion_knows_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert whole_app().registered_commands
    monkeypatch.setenv("_SIGHTLINE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "sightline dataset ")
    monkeypatch.setenv("COMP_CWORD", "2")
    with pytest.raises(SystemExit):
        main([])
    assert "download" in capsys.readouterr().out
