"""How the operations on datasets are shown."""

import inspect
from typing import Any

from sightline.config.wording import shown, type_name
from sightline.data.operations import OPERATIONS
from sightline.data.recipes.steps import argument_types, parameters


def operation_entry(name: str) -> dict[str, Any]:
    """An operation as JSON: its name, its arguments and what it does.

    An argument without ``default`` has to be given.
    """
    types = argument_types(name)
    arguments = [
        {"name": each.name, "type": type_name(types[each.name])}
        | ({} if each.default is each.empty else {"default": each.default})
        for each in parameters(name)
    ]
    description = (inspect.getdoc(OPERATIONS[name]) or "").partition("\n\n")[0].replace("\n", " ")
    return {"name": name, "arguments": arguments, "description": description}


def signature(entry: dict[str, Any]) -> str:
    """``shuffle(seed: whole number = 0)``, of an `operation_entry`."""
    arguments = (
        f"{each['name']}: {each['type']}" + (f" = {shown(each['default'])}" if "default" in each else "")
        for each in entry["arguments"]
    )
    return f"{entry['name']}({', '.join(arguments)})"
