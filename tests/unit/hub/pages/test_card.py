"""Model cards: Markdown becomes HTML that cannot harm."""

from __future__ import annotations

import re
import time

import pytest

from tensorhub.hub.pages.card import MAX_CARD_NBYTES, Card, CardField, read_front_matter, render_card


def render(text: str | bytes) -> Card:
    content = text.encode() if isinstance(text, str) else text
    return render_card(
        content, to_file=lambda path: f"/file/{path}", to_picture=lambda path: f"/picture/{path}"
    )


def test_markdown() -> None:
    """Headings go below those of the page; tables, code and emphasis are there."""
    html = render("# Title\n\n*em* `code` ~~gone~~\n\n|a|b|\n|-|-:|\n|1|2|\n").html
    assert '<h3 id="card-title">Title</h3>' in html
    assert "<em>em</em>" in html
    assert "<code>code</code>" in html
    assert "<s>gone</s>" in html
    assert '<th class="align-right" scope="col">b</th>' in html
    assert "style=" not in html


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "<javascript:alert(1)>",
    '[x](http://a"onmouseover="alert(1))',
    '![" onerror="alert(1)](x.png)',
    "![x](javascript:alert(1))",
    '# <svg onload="alert(1)">',
    "```html\n</code></pre><script>alert(1)</script>\n```",
    "[x]: javascript:alert(1)\n[x]",
    "&lt;script&gt;",
    "<!-- --><script>alert(1)</script>",
    '[x](x "&quot; onclick=alert(1)")',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown(text: str) -> None:
    """No element or attribute that acts, and no address that runs something."""
    html = str(render(text).html)
    assert not re.search(r"<(script|svg|iframe|object|embed|form|style|link|meta|base)\b", html, re.I)
    for tag in re.findall(r"<\w+[^>]*>", html):
        names = re.findall(r'([\w-]+)="[^"]*"', tag)
        assert not any(name.startswith("on") or name == "style" for name in names), tag
    for address in re.findall(r'(?:href|src)="([^"]*)"', html):
        assert re.match(r"(https?://|mailto:|/file/|/picture/|#card-)", address), address


def test_links() -> None:
    """Paths lead into the repository, anchors stay on the page, others are marked as foreign."""
    html = render(
        "[a](docs/a.md) [b](#Usage) [c](https://x.org/) [d](../up) [e](/root) [f](./x/../y.md)"
    ).html
    assert '<a href="/file/docs/a.md">' in html
    assert '<a href="#card-usage">' in html
    assert '<a href="https://x.org/" rel="nofollow noopener noreferrer">' in html
    assert "<a>d</a>" in html
    assert "<a>e</a>" in html
    assert '<a href="/file/y.md">' in html


def test_pictures() -> None:
    """Those of the repository are shown; of others only what they show is said."""
    html = render("![own](img/a.png) ![theirs](https://x.org/b.png) ![](//x.org/c.png)").html
    assert '<img src="/picture/img/a.png" alt="own" loading="lazy" />' in html
    assert "[theirs]" in html
    assert "x.org" not in html


def test_front_matter() -> None:
    """It becomes fields, and is not in the text."""
    card = render("---\nlicense: mit\ntags:\n- a\n- <b>\nmodel-index:\n- name: x\nempty:\n---\nText")
    assert card.fields == (
        CardField("license", ("mit",)),
        CardField("tags", ("a", "<b>")),
        CardField("model-index", (), is_nested=True),
    )
    assert "license" not in card.html
    assert "Text" in card.html


@pytest.mark.parametrize(
    "text", ["- a\n- b", "a: [", "a: !!python/object/apply:os.system [x]\n]", "\x00", "a: " + "[" * 5000, "x"]
)
def test_front_matter_that_is_none(text: str) -> None:
    """It is left in the text, and nothing is raised."""
    assert read_front_matter(text) is None
    assert render(f"---\n{text}\n---\nText").fields == ()


def test_front_matter_bombs() -> None:
    """Aliases of aliases are not expanded, and much is cut."""
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
        for before, name in zip("abcdefghijkl", "bcdefghijklm", strict=True)
    )
    assert read_front_matter(bomb) is not None
    many = read_front_matter("".join(f"k{number}: {'v' * 500}\n" for number in range(100)))
    assert many is not None
    assert len(many) == 40
    assert len(many[0].values[0]) == 200


def test_long_and_broken_cards() -> None:
    """They are cut and decoded somehow, in bounded time."""
    began = time.perf_counter()
    card = render(b"word " * (MAX_CARD_NBYTES // 4))
    assert card.is_cut
    assert render(b"\xff\xfe\x00 text").html
    for deep in ("> " * 5000, "[" * 20_000, "*" * 20_000, "`" * 20_000 + "a", "- " * 3000, "![" * 8000):
        render(deep)
    assert time.perf_counter() - began < 20  # 2 s here


@pytest.mark.parametrize(
    "text",
    [
        "[" * MAX_CARD_NBYTES,
        "[a](b" * (MAX_CARD_NBYTES // 5),
        "**a_b" * (MAX_CARD_NBYTES // 5),
        "[a]: http://" + "x" * 20_000 + "\n\n" + "[a]" * 9000,
        "[a]: x/" + "y" * 20_000 + "\n\n" + "![a]" * 9000,
        "|a" * 1000 + "|\n" + "|-" * 1000 + "|\n" + ("|b" * 1000 + "|\n") * 100,
    ],
    ids=["brackets", "links", "marks", "addresses", "pictures", "table"],
)
def test_no_card_is_a_bomb(text: str) -> None:
    """A quarter of a megabyte neither takes many seconds nor becomes many megabytes; it is shown as it stands."""
    card = render_card(text.encode(), to_file=str, to_picture=str)
    assert card.html.startswith("<pre>")
    assert len(card.html) < 2 * len(text) + 100
