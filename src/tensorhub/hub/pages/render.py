"""Templates and how they write numbers.

Duty: one template environment, with filters for sizes, dates and counts. Not its duty: what is shown.
Invariants: everything is escaped unless it is :class:`markupsafe.Markup`; a name that a template misspells is an error,
not an empty place. Every size has its exact bytes as a title.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tensorhub.schema.sizes import (
    NOTHING,
    format_count,
    format_nbytes,
    format_ratio,
    format_saving,
    format_shape,
)

_COUNT_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))  # as people count parameters


def write_size(nbytes: int | None) -> Markup:
    """Write a size, with its exact bytes as a title."""
    if nbytes is None:
        return Markup(f'<span class="size">{NOTHING}</span>')
    return Markup('<span class="size" title="{} bytes">{}</span>').format(
        f"{nbytes:,}", format_nbytes(nbytes)
    )


def write_date(date_ms: int | None) -> Markup:
    """Write a date to the day, with its minute as a title."""
    if date_ms is None:
        return Markup(f"<span>{NOTHING}</span>")
    try:
        at = datetime.fromtimestamp(date_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):  # a commit's date is free: it may lie beyond the year 9999
        return Markup("<span>{}</span>").format(f"{date_ms} ms")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%Y-%m-%d %H:%M} UTC", f"{at.day} {at:%b %Y}"
    )


def write_elements(count: int) -> str:
    """Write a number of elements as people write parameters: ``4.74M``."""
    for unit, sign in _COUNT_UNITS:
        if count >= unit:
            value = count / unit
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:,.{digits}f}{sign}"
    return f"{count}"


def write_percent(share: float) -> str:
    """Write a share, 0 to 1, as percent with a decimal below ten."""
    if 0 < abs(share) < 0.001:
        return "< 0.1 %" if share > 0 else "> -0.1 %"
    digits = 0 if share in (0, 1) else 1
    return f"{share * 100:.{digits}f} %"


@lru_cache(maxsize=1)
def make_environment() -> Environment:
    """Make the template environment; once for the process, templates never change while it runs."""
    environment = Environment(
        loader=PackageLoader("tensorhub.hub", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        size=write_size,
        plain_size=format_nbytes,
        date=write_date,
        elements=write_elements,
        percent=write_percent,
        count=format_count,
        ratio=lambda nbytes, stored_nbytes: format_ratio(nbytes, stored_nbytes or 0),
        saving=format_saving,
        shape=format_shape,
    )
    return environment


def load_templates() -> None:
    """Compile every template now: the first reader would wait for it, a tenth of a second for a view."""
    environment = make_environment()
    for name in environment.list_templates():
        environment.get_template(name)


def render(template: str, values: Mapping[str, Any]) -> str:
    """Write one template out."""
    return make_environment().get_template(template).render(values)
