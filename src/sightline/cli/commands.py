"""What commands there are and where each one lives.

This table is all that `sightline --help` needs: a command's module is imported when it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

#: Name, one line of help; in the order in which people meet them.
COMMANDS = {
    "demo": "Publish hidden data, train on it without seeing it, and get the model back.",
    "up": "Start the service, with a local agent, on this machine.",
    "configure": "Say which service to talk to, and as whom.",
    "clear": "Remove the stored configuration.",
    "profile": "Manage profiles: several services, or several users of one.",
    "dataset": "Convert, check and look at datasets; download samples, publish hidden ones.",
    "recipe": "Describe datasets as data: build them here, keep them on the service.",
    "trainer": "Make, check and upload trainer packages.",
    "experiment": "Run trainer packages on hidden datasets and get models back.",
    "plan": "Write a spec for a dataset, with the reason for each value.",
    "train": "Train what a spec describes, once, from where it stopped, or as a sweep.",
    "eval": "Measure a trained model on a split.",
    "benchmark": "Compare models on a dataset: how good, how fast, how large.",
    "predict": "Write what a model says of images, videos, rasters, or its own dataset.",
    "export": "Write a trained model to a file that runs anywhere with the same answers.",
    "serve": "Let a model be tried in a browser, and used over HTTP.",
    "model": "Keep exported models: list, show, push, pull and remove them.",
    "weights": "Fetch pretrained weights; write a model's weights to a file, and look into such files.",
    "save": "Pack a run into one file.",
    "load": "Unpack a saved run.",
    "runs": "List, compare, plot and remove what was trained here.",
    "runc": "Run a trainer package on this machine as the service would.",
    "user": "Manage the users of a service (administrators).",
    "agent": "Run jobs of a service on this machine.",
}

_SHARED_MODULE = {"clear": "configure", "load": "save"}


def new_app(help_text: str | None = None, *, completion: bool = False) -> "typer.Typer":
    """An empty Typer app with the settings that all commands share; a group where it has a help text."""
    import typer

    return typer.Typer(
        help=help_text,
        no_args_is_help=help_text is not None,
        add_completion=completion,
        rich_markup_mode=None,  # plain help: it needs no import and reads the same in a pipe
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def load(name: str) -> "typer.Typer":
    """The Typer app of a command: its module's ``app`` for a group, else one of the function ``name``."""
    module = import_module(f"sightline.cli.{_SHARED_MODULE.get(name, name)}")
    if hasattr(module, "app"):
        return module.app
    app = new_app()
    app.command(name)(getattr(module, name))
    return app


def whole_app() -> "typer.Typer":
    """All commands as one Typer app, for shell completion: imports every command's module."""
    app = new_app(completion=True)
    for name, help_text in COMMANDS.items():
        command = load(name)
        if command.info.help:
            app.add_typer(command, name=name, help=help_text)
        else:
            callback = command.registered_commands[0].callback
            assert callback
            app.command(name)(callback)
    return app
