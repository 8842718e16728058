"""Numbers as a page writes them, and templates that escape."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from tensorhub.hub.pages.render import make_environment, write_date, write_elements, write_percent, write_size


def test_sizes_have_their_exact_bytes() -> None:
    """Three digits are shown, all are there."""
    assert write_size(1_234_567) == '<span class="size" title="1,234,567 bytes">1.23 MB</span>'
    assert "–" in write_size(None)


def test_dates() -> None:
    """To the day, with the minute as a title; dates that no calendar has are written somehow."""
    assert write_date(1_700_000_000_000) == (
        '<time datetime="2023-11-14T22:13:20Z" title="2023-11-14 22:13 UTC">14 Nov 2023</time>'
    )
    assert "–" in write_date(None)
    assert isinstance(write_date(10**17), Markup)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (549_000, "549k"), (4_740_000, "4.74M"), (70_600_000_000, "70.6B")],
)
def test_elements(count: int, text: str) -> None:
    """As people write parameters."""
    assert write_elements(count) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (1, "100 %"), (0.1234, "12.3 %"), (0.0001, "< 0.1 %"), (-0.02, "-2.0 %")]
)
def test_percent(share: float, text: str) -> None:
    """One decimal, but for nothing and all."""
    assert write_percent(share) == text


def test_everything_is_escaped() -> None:
    """Text is text; a name that is not there is an error."""
    environment = make_environment()
    assert environment.from_string("{{ text }}").render(text="<script>") == "&lt;script&gt;"
    with pytest.raises(UndefinedError):
        environment.from_string("{{ nothing }}").render()


def test_templates_compile() -> None:
    """Each of them, and each extends or defines something."""
    environment = make_environment()
    names = environment.list_templates()
    assert "home.html" in names
    for name in names:
        environment.get_template(name)
