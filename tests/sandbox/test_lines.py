from hypothesis import given
from hypothesis import strategies as st

from sightline.sandbox.lines import CUT_MARK, MAX_LINE_BYTES, LineSplitter


def split(chunks: list[bytes]) -> list[str]:
    splitter = LineSplitter()
    found = [line for chunk in chunks for line in splitter.feed(chunk)]
    return [*found, *splitter.finish()]


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))), st.data())
def test_any_chunks_give_the_same_lines(lines: list[str], data: st.DataObject) -> None:
    whole = "".join(f"{line}\n" for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    chunks = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert split(chunks) == lines


@given(st.lists(st.binary(max_size=40)))
def test_bytes_of_any_kind_are_held_in_bounds(chunks: list[bytes]) -> None:
    assert split(chunks) == split([b"".join(chunks)])


def test_a_long_line_is_cut_in_bounded_memory() -> None:
    splitter = LineSplitter()
    for _ in range(100):
        assert list(splitter.feed(b"x" * 10_000)) == []
    assert len(splitter._held) == MAX_LINE_BYTES
    assert list(splitter.feed(b"\nnext\n")) == ["x" * MAX_LINE_BYTES + CUT_MARK, "next"]


def test_a_line_of_just_the_limit_is_whole() -> None:
    assert split([b"x" * MAX_LINE_BYTES + b"\r\n"]) == ["x" * MAX_LINE_BYTES]


def test_a_progress_bar_keeps_its_last_state() -> None:
    assert split([b"\r 1%", b"\r 50%\r", b" 100%\n"]) == [" 100%"]
    assert split([b"x" * 99_999, b"\rshort\n"]) == ["short"]


def test_windows_line_ends() -> None:
    assert split([b"one\r", b"\ntwo\r\n"]) == ["one", "two"]
