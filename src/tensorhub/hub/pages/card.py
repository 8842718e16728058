"""Model cards: a README as HTML that cannot harm.

Duty: front matter to a small table, Markdown to HTML. Not its duty: the page around it.
Invariants: HTML in the Markdown is shown as text; the only links are http, https, mailto, anchors and paths inside the
repository; no picture is loaded from elsewhere, so that reading a card tells nobody about it. Never raises for any
content; text beyond a limit is left out, and what would take seconds, or grow to many times its length, is shown as
it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

MAX_CARD_NBYTES = 1 << 18  # 256 KiB: five times the hub's largest cards; rendering takes a second for 2 MB
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)
_MAX_FRONT_MATTER = 1 << 16  # characters: the largest cards carry some 50 KB of evaluation results
_MAX_BRACKETS = 500  # opened: parsing takes time by the square of their depth, 1 s for 5,000
_MAX_FIELDS, _MAX_VALUES, _MAX_VALUE = (
    40,
    24,
    200,
)  # rows, values in one, characters of one: a card, not a file
# Of what means something in Markdown: 100,000 take 1 s. Brackets take more than their share when there are many.
_MARKS, _MAX_MARKS, _MAX_LINKS = "[*_`|<~!#&\\\n", 50_000, 10_000
_MAX_ADDRESSES = 1 << 20  # characters of all links and pictures: four times the longest card
_HEADINGS_DOWN = 2  # the page has h1 and h2 of its own
_NOT_IN_SLUG = re.compile(r"[^\w\- ]+")


@dataclass(frozen=True, slots=True)
class CardField:
    """One line of the front matter; nested values are told by ``is_nested`` and left out."""

    name: str
    values: tuple[str, ...]
    is_nested: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """A model card: front matter and text; ``is_cut`` where it is longer than what is shown."""

    fields: tuple[CardField, ...]
    html: Markup
    is_cut: bool


def render_card(
    content: bytes,
    *,
    to_file: Callable[[str], str],
    to_picture: Callable[[str], str],
    is_cut: bool = False,
    has_front_matter: bool = True,
) -> Card:
    """Render a README.

    Parameters
    ----------
    content
        Its bytes, or the first :data:`MAX_CARD_NBYTES` of them.
    to_file, to_picture
        Make an address of a path in the repository: of its page, and of its bytes.
    is_cut
        Whether there is more than was handed in.
    has_front_matter
        Whether to look for one: a comment has none.

    Returns
    -------
    Card
        With safe HTML.
    """
    text = content[:MAX_CARD_NBYTES].decode("utf-8", "replace")
    fields: tuple[CardField, ...] = ()
    match = _FRONT_MATTER.match(text) if has_front_matter else None
    if match is not None:
        found = read_front_matter(match[1])
        if found is not None:
            fields, text = found, text[match.end() :]
    html = _render_markdown(text, to_file, to_picture)
    return Card(fields, html, is_cut or len(content) > MAX_CARD_NBYTES)


def _render_markdown(text: str, to_file: Callable[[str], str], to_picture: Callable[[str], str]) -> Markup:
    """Render Markdown; what would take too long, or become too long, is shown as it stands."""
    as_it_stands = Markup("<pre>{}</pre>").format
    if sum(text.count(mark) for mark in _MARKS) > _MAX_MARKS or text.count("[") > _MAX_LINKS:
        return as_it_stands(text)
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    environment: dict[str, Any] = {}
    tokens = parser.parse(text, environment)
    # A long address that is defined once may be used thousands of times.
    children = (child for token in tokens for child in token.children or ())
    if sum(len(str(value)) for child in children for value in child.attrs.values()) > _MAX_ADDRESSES:
        return as_it_stands(text)
    _soften(tokens, to_file, to_picture)
    return Markup(parser.renderer.render(tokens, parser.options, environment))


def read_front_matter(text: str) -> tuple[CardField, ...] | None:
    """Read the fields of a front matter; None where it is no YAML mapping.

    Notes
    -----
    Only the node graph is looked at: tags build nothing and aliases are not expanded beyond two levels.
    """
    if len(text) > _MAX_FRONT_MATTER or _count_brackets(text) > _MAX_BRACKETS:
        return None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        return None  # the parser lets bad escapes and deep nesting escape as plain exceptions
    if not isinstance(root, yaml.MappingNode):
        return None
    fields: list[CardField] = []
    for key, value in root.value[:_MAX_FIELDS]:
        if not isinstance(key, yaml.ScalarNode):
            continue
        items: Sequence[yaml.Node] = value.value if isinstance(value, yaml.SequenceNode) else [value]
        scalars = [item.value for item in items if isinstance(item, yaml.ScalarNode)]
        shown = tuple(_cut(text) for text in scalars[:_MAX_VALUES] if text)
        is_nested = len(scalars) < len(items) or len(scalars) > _MAX_VALUES
        if shown or is_nested:
            fields.append(CardField(_cut(key.value), shown, is_nested))
    return tuple(fields)


def _count_brackets(text: str) -> int:
    return text.count("[") + text.count("{") + text.count("- -")


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"


def _soften(tokens: list[Token], to_file: Callable[[str], str], to_picture: Callable[[str], str]) -> None:
    """Change parsed tokens in place: headings go down, links stay where they may lead, pictures are our own."""
    for position, token in enumerate(tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + _HEADINGS_DOWN)}"
            if token.type == "heading_open":
                token.attrSet("id", f"card-{_slug(tokens[position + 1].content)}")
        elif token.type in ("th_open", "td_open"):
            align = str(token.attrs.pop("style", ""))  # the page's policy allows no styles in place
            if align:
                token.attrSet("class", align.replace("text-align:", "align-"))
            if token.type == "th_open":
                token.attrSet("scope", "col")
        for number, child in enumerate(token.children or []):
            if child.type == "link_open":
                _soften_link(child, to_file)
            elif child.type == "image" and token.children is not None:
                _soften_picture(token.children, number, to_picture)


def _soften_link(token: Token, to_file: Callable[[str], str]) -> None:
    href = str(token.attrs.get("href", ""))
    path = _path_inside(href)
    if href.startswith("#"):
        token.attrSet("href", f"#card-{href[1:].lower()}")
    elif path is not None:
        token.attrSet("href", to_file(path))
    elif href.startswith(("http://", "https://", "mailto:")):
        token.attrSet("rel", "nofollow noopener noreferrer")
    else:
        token.attrs.pop("href", None)


def _soften_picture(siblings: list[Token], number: int, to_picture: Callable[[str], str]) -> None:
    """Load a picture of the repository; of another one's say only what it shows."""
    token = siblings[number]
    path = _path_inside(str(token.attrs.get("src", "")))
    if path is not None:
        token.attrSet("src", to_picture(path))
        token.attrSet("loading", "lazy")
        return
    told = Token("text", "", 0)
    told.content = f"[{token.content or 'picture'}]"
    siblings[number] = told


def _path_inside(href: str) -> str | None:
    """Give the path in the repository that a relative address means; None for any other address."""
    try:
        parts = urlsplit(href)
    except ValueError:
        return None
    if parts.scheme or parts.netloc or not parts.path or parts.path.startswith(("/", "\\")):
        return None
    steps: list[str] = []
    for step in unquote(parts.path).split("/"):
        if step == "..":
            if not steps:
                return None
            steps.pop()
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps) if steps and not any("\\" in step or "\0" in step for step in steps) else None


def _slug(text: str) -> str:
    return _NOT_IN_SLUG.sub("", text.lower()).strip().replace(" ", "-")
