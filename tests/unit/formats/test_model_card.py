"""Model cards give hints, never trouble."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorhub.formats.model_card import read_base_models
from tensorhub.formats.source import MemorySource


def read(text: str | bytes) -> tuple[str, ...]:
    return read_base_models(MemorySource(text.encode() if isinstance(text, str) else text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\nbase_model: owner/name\n---\n# Card", ("owner/name",)),
        ("---\r\nlicense: mit\r\nbase_model:\r\n- a/b\r\n- c/d\r\n- a/b\r\n---\r\n", ("a/b", "c/d")),
        ("\ufeff---\nbase_model: gpt2\n---", ("gpt2",)),
        ("---\nbase_model: [a/b, 1, null, {x: y}, /home/me/model, ../x]\n---\n", ("a/b",)),
        ("---\nbase_model: 'a/b'\nother: &x [1]\nagain: *x\n---\n", ("a/b",)),
        ("---\nbase_model: a/b\nbase_model: c/d\n---\n", ("c/d",)),
        ("---\nbase_model: null\n---\n", ()),
        ("---\nlicense: mit\n---\nbase_model: a/b\n", ()),
        ("# Card\n---\nbase_model: a/b\n---\n", ()),
        ("---\nbase_model: a/b\n", ()),
        ("---\n- a\n---\n", ()),
        ("---\n\n---\n", ()),
        ("", ()),
    ],
)
def test_cards(text: str, expected: tuple[str, ...]) -> None:
    """Strings and lists in the front matter, and nothing else."""
    assert read(text) == expected


@pytest.mark.parametrize(
    "body",
    [
        "a: [", "a: b: c", "\t", "*x", "? [a\n", "a: " + "[" * 30_000, '"\\UFFFFFFFF"',
        "%YAML " + "9" * 5000 + "\n---\na: 1", "d: 2024-99-99", "a: !!python/object:os.system x",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c]\n" * 500,
        "x: " + "y" * 70_000, "a: \x00", "- " * 20_000,
    ],
)  # fmt: skip
def test_bad_yaml(body: str) -> None:
    """Broken, hostile or too long front matter gives nothing, and no error."""
    assert read(f"---\n{body}\n---\n") == ()


def test_bad_bytes() -> None:
    """Bytes that are not UTF-8 do no harm."""
    assert read(b"---\nbase_model: a/b\nauthor: \xff\xfe\n---\n") == ("a/b",)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab/:-[]{}&*!|>'\"\\#%@?,\n \t0Ux", max_size=80))
def test_never_raises(body: str) -> None:
    """Whatever stands in the front matter, the answer is a tuple."""
    assert isinstance(read(f"---\nbase_model: {body}\n---\n"), tuple)
