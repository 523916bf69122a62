import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.config import Config, load, load_text
from sightline.config.source import Source
from sightline.config.yaml_reading import read_yaml
from sightline.errors import SightlineError
from tests.config.settings import Spec


def value_of(text: str) -> Any:
    return read_yaml(text, Source("spec.yaml"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        (".5", 0.5),
        ("-2.", -2.0),
        ("+12", 12),
        ("-0", 0),
        ("true", True),
        ("False", False),
        ("", None),
        ("~", None),
        ("null", None),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        *(
            (text, text)
            for text in ("no", "on", "Yes", "off", "y", "0o10", "010", "0x1f", "1:30", "2026-01-02")
        ),
        *(
            (text, text)
            for text in ("1_000", "3ep", "nan", "inf", "1e", "e3", ".", "--", "1.2.3", "=", "tRue")
        ),
        ("'1'", "1"),
        ('"true"', "true"),
        ("|-\n  1", "1"),
        ("[1, no]", [1, "no"]),
    ],
)
def test_words(text: str, expected: Any) -> None:
    value = value_of(f"key: {text}\n")["key"]
    assert value == expected
    assert type(value) is type(expected)


def test_not_a_number() -> None:
    assert math.isnan(value_of("key: .nan")["key"])


def test_merge_keys_and_aliases() -> None:
    text = """\
definitions:
  base: &base {a: 1, b: 2}
  more: &more {b: 3, c: 4}
  deep: &deep {<<: *base, d: 5}
one: {<<: *base, a: 9}
two: {<<: [*more, *deep]}
three: *deep
"""
    assert value_of(text) == {
        "one": {"a": 9, "b": 2},
        "two": {"a": 1, "b": 3, "c": 4, "d": 5},
        "three": {"a": 1, "b": 2, "d": 5},
    }


def test_quoted_merge_key_is_text() -> None:
    assert value_of("'<<': {a: 1}") == {"<<": {"a": 1}}


def test_an_alias_gives_values_of_its_own() -> None:
    value = value_of("one: &one [1]\ntwo: *one")
    value["one"].append(2)
    assert value["two"] == [1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb:\n\tc: 1", "spec.yaml:3:1: a tab cannot stand here; indent with spaces."),
        ("a: 1\nb: 2\na: 3", "spec.yaml:3: the key 'a' is here twice, first in line 1; remove one."),
        ("a: {b: 1, b: 2}", "spec.yaml:1: the key 'b' is here twice, first in line 1; remove one."),
        ("a: 1\n[b]: 1", "spec.yaml:2: a key must be text or a number; put it in quotes."),
        ("a: 1\ntrue: 1", "spec.yaml:2: a key must be text or a number; put it in quotes."),
        ("a: b: c", "spec.yaml:1:5: a ':' cannot stand here; quote the text, or check the indentation."),
        ("a: 'b\nc: d\n", "spec.yaml:3:1: the quotes opened in line 1 are not closed; close them."),
        ("a: [1, 2\nb: 1", "spec.yaml:2:2: the bracket opened in line 1 is not closed, or a ',' is missing."),
        ("a: @b", "spec.yaml:1:4: '@' cannot stand here; put the text in quotes."),
        ("a:\n  b: 1\n c: 2", "spec.yaml:3:2: the indentation does not fit the lines above."),
        ("a: 1\n---\nb: 1", "spec.yaml:2:1: only one document fits in a file; remove the '---'."),
        ("a: &x 1\nb: &x 2", "spec.yaml:2:4: this anchor is defined twice; rename one."),
        ("a: 1\nb: *one", "spec.yaml:2: '*one' refers to nothing that is defined above; define it as &one."),
        (
            "a: &ones 1\nb: *one",
            "spec.yaml:2: '*one' refers to nothing that is defined above; did you mean 'ones'?",
        ),
        ("a: !!python/name:os.system", "spec.yaml:1: the tag !!python/name:os.system is not used here; "),
        ("a: !!str 3", "spec.yaml:1: the tag !!str is not used here; remove it (text goes in quotes)."),
        ("a: 1\nb: {<<: 3}", "spec.yaml:2: '<<' takes a mapping, or a list of mappings."),
        ("a: 1\nb: &b [*b]", "spec.yaml:2: the anchor 'b' contains itself; write the value out."),
        ("a: 1\nb: &b {<<: *b}", "spec.yaml:2: '<<' merges a mapping into itself; remove it."),
        ("a: " + "[" * 80 + "]" * 80, "spec.yaml:1: nested too deeply; use at most 60 levels."),
        ("a: " + "[" * 5000, "spec.yaml: nested too deeply; use at most 60 levels."),
        ("a: 1\nb: \0", "spec.yaml:2: the character U+0000 is not allowed in YAML; remove it."),
        ("a: " + "9" * 5000, "spec.yaml:1: a number of this length is not read; put it in quotes."),
        ("definitions: 3\n", "spec.yaml:1: 'definitions' must be a mapping of anchors, as `size: &size 32`."),
        (
            "definitions:\n  a: 1\n",
            "spec.yaml:2: the definition 'a' has no anchor; write `a: &a ...`, or remove it.",
        ),
        (
            "definitions:\n  a: &a 1\n  b: &b [*a]\nc: 1",
            "spec.yaml:3: nothing refers to the definition 'b'; use it as *b, or remove it.",
        ),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(SightlineError) as error:
        value_of(text)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_an_anchor_outside_definitions_may_be_unused() -> None:
    assert value_of("definitions:\na: &a 1") == {"a": 1}


@pytest.mark.parametrize("line", ["  {b}: &{b} [{a}]", "  {b}: &{b} {{<<: [{a}]}}"])
def test_an_alias_bomb_is_refused(line: str) -> None:
    start = "  a: &a {x: 1, y: 2}" if "<<" in line else "  a: &a [1, 1]"
    levels = [line.format(b=chr(98 + n), a=", ".join([f"*{chr(97 + n)}"] * 10)) for n in range(12)]
    with pytest.raises(SightlineError, match="more than 100000 values"):
        value_of("\n".join(["definitions:", start, *levels, "name: *m"]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; it takes the keys name, seed"),
        (b"# nothing\n", "is empty"),
        (b"- a\n", "must be 'key: value' lines at the top, found ['a']."),
        (b"name: a\nlr: \xff\n", ":2: not UTF-8 text; save the file as UTF-8."),
        ("name: a".encode("utf-16"), ":1: not UTF-8 text"),
    ],
)
def test_files_that_are_no_spec(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(content)
    with pytest.raises(SightlineError) as error:
        load(Spec, path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").write_text("name: a")
    with pytest.raises(SightlineError, match=r"there is no such file; did you mean 'digits.yaml'\?$"):
        load(Spec, tmp_path / "digit.yaml")
    with pytest.raises(SightlineError, match=r"there is no such file; check the path.$"):
        load(Spec, tmp_path / "nowhere" / "digit.yaml")
    with pytest.raises(SightlineError, match=r"cannot be read \(Is a directory\)"):
        load(Spec, tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfname: a\r\nlr: 1\r\n")
    assert load(Spec, tmp_path / "a.yaml") == Spec(name="a", lr=1.0)


@given(st.text(alphabet=st.sampled_from("ab:{}[]-*&!|>'\"%@,#? \n\t<0.~\\é"), max_size=40))
def test_any_text_is_read_or_refused_in_one_sentence(text: str) -> None:
    class Nothing(Config):
        pass

    message = "spec.yaml"
    try:
        load_text(Nothing, text, name="spec.yaml")
    except SightlineError as error:
        message = str(error)
    assert message.startswith("spec.yaml")
    assert "\n" not in message
