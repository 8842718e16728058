"""The bounded scanner agrees with json where it accepts, and refuses what json is too kind to."""

import json

import pytest

from tensorhub.errors import InvalidHeaderError
from tensorhub.formats.json_scan import JsonScanner


@pytest.mark.parametrize(
    "text", ["{}", '{"a":"b"}', ' { "a" : "\\u00e9\\"\\\\" , "ü":"", "a":"c" } ', '{"\\ud83d\\ude00":"x"}']
)
def test_string_map(text: str) -> None:
    """A map of strings reads as json reads it."""
    scanner = JsonScanner(text.encode(), "text")
    assert scanner.string_map() == json.loads(text)
    scanner.finish()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a"}',
        '{"a":1}',
        '{"a":"b",}',
        '{"a":"b"',
        '{"\\ud800":"b"}',
        '{"\\x":"b"}',
        '{"\\u12":""}',
        '{"\n":""}',
        "[]",
    ],
)
def test_string_map_refuses(text: str) -> None:
    """Anything else is an error, with a position."""
    with pytest.raises(InvalidHeaderError) as caught:
        JsonScanner(text.encode(), "text").string_map()
    assert caught.value.offset is not None


@pytest.mark.parametrize(
    "value", ["0", "-1.5e3", "null", "true", '"x"', "[1,[2,{}]]", "[" + "1," * 3000 + "1]"]
)
def test_small_value(value: str) -> None:
    """A value of any kind is read whole, whatever its length below the limit."""
    scanner = JsonScanner((value + " ,").encode(), "text")
    assert scanner.small_value(1 << 16) == json.loads(value)
    scanner.expect(b",")
    scanner.finish()


def test_number_across_a_window() -> None:
    """A number that crosses the scanner's first window is not cut."""
    number = "1" * 300
    assert JsonScanner(number.encode(), "text").small_value(1000) == int(number)


@pytest.mark.parametrize(
    "text", ["NaN", "[Infinity]", "9" * 5000, "[" * 50_000, "[1", '"' + "a" * 70_000 + '"', ""]
)
def test_small_value_refuses(text: str) -> None:
    """Constants that are not JSON, endless numbers, depth, length: one clear error."""
    with pytest.raises(InvalidHeaderError):
        JsonScanner(text.encode(), "text").small_value(1 << 16)


def test_utf8_is_required() -> None:
    """Bytes that are not UTF-8 are refused before anything is read, also at the very end."""
    for text in (b"\xff", b'{"a":"\xc3"}', b"a\xc3", b"\xed\xa0\x80"):
        with pytest.raises(InvalidHeaderError):
            JsonScanner(text, "text")
