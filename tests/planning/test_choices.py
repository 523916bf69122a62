"""A plan as YAML: the values come back, the reasons are comments."""

import re

from hypothesis import given
from hypothesis import strategies as st

from sightline.config.source import Source
from sightline.config.yaml_reading import read_yaml
from sightline.planning.choices import Choice, spec_of, spec_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.lists(VALUES, min_size=1, max_size=4), st.text("xyz ", min_size=1, max_size=90).filter(str.strip))
def test_the_yaml_holds_the_values(values: list, reason: str) -> None:
    keys = ["name", "task.init_args.size", "task.init_args.augment.0", "task.init_args.augment.1"]
    choices = [Choice(key, value, reason) for key, value in zip(keys, values, strict=False)]
    text = spec_yaml(choices, ["Planned for this."])
    assert read_yaml(text, Source("plan")) == spec_of(choices)
    assert text.startswith("# Planned for this.\n")
    assert text.count(f"# {reason}\n") == len(choices)


def test_keys_are_paths() -> None:
    choices = [
        Choice("name", "cats", "what it is called"),
        Choice("task.class_path", "a.B", "what is learned"),
        Choice("task.init_args.augment.0", {"class_path": "a.Flip"}, "mirrored"),
        Choice(
            "task.init_args.augment.1", {"class_path": "a.Zoom", "init_args": {"scale": [1, 2]}}, "nearer"
        ),
    ]
    assert spec_of(choices) == {
        "name": "cats",
        "task": {
            "class_path": "a.B",
            "init_args": {
                "augment": [
                    {"class_path": "a.Flip"},
                    {"class_path": "a.Zoom", "init_args": {"scale": [1, 2]}},
                ]
            },
        },
    }


def test_comments_stand_in_one_column() -> None:
    choices = [
        Choice("name", "cats", "short"),
        Choice("trainer.monitor", "validation/accuracy", "longer"),
        Choice("trainer.note", "x" * 80, "beyond"),
    ]
    lines = spec_yaml(choices, []).splitlines()
    columns = {line.index("#") for line in lines if "#" in line and "xxx" not in line}
    assert len(columns) == 1
    assert re.search(r"x  # beyond$", lines[-1])
