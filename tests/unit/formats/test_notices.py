"""Notices stay short whatever they are made of."""

from tensorhub.formats.notices import NoticeBook, name_some, shorten


def test_shorten() -> None:
    """Long and unprintable names become short and printable."""
    assert shorten("a" * 10_000) == "a" * 120 + "…"
    assert shorten("a\n\udc80") == "a\\n\\udc80"
    assert shorten("modèle") == "modèle"


def test_name_some() -> None:
    """The first three are named, the rest counted."""
    assert name_some(["a", "b"]) == "a, b"
    assert name_some(list("abcde")) == "a, b, c and 2 more"


def test_book() -> None:
    """Each kind is one sentence, in the order seen."""
    book = NoticeBook()
    for name in "abcd":
        book.add("links", name)
    book.add("pipes", "p")
    assert book.to_tuple() == ("links (4): a, b, c and 1 more", "pipes (1): p")
