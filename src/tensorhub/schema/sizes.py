"""Numbers as people read them: sizes, ratios, shares, dates.

Duty: text for one value. Not its duty: where it is printed.
Invariants: sizes are decimal (1 kB = 1000 B), as disks and networks count; JSON never goes through here.
"""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_STEP = 1000
NOTHING = "–"  # shown where there is no number


def format_nbytes(nbytes: int) -> str:
    """Write a size with three significant digits and a decimal unit: ``1.16 MB``."""
    sign, value, unit = ("-" if nbytes < 0 else ""), float(abs(nbytes)), 0
    while round(value, 0 if value >= 100 else 1) >= _STEP and unit < len(_UNITS) - 1:
        value /= _STEP
        unit += 1
    if unit == 0:
        return f"{sign}{int(value)} B"
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{sign}{value:.{digits}f} {_UNITS[unit]}"


def format_ratio(nbytes: int, stored_nbytes: int) -> str:
    """Write how many times smaller something became: ``2.9×``."""
    if nbytes <= 0 or stored_nbytes <= 0:
        return NOTHING
    ratio = nbytes / stored_nbytes
    return f"{ratio:.2f}×" if ratio < 10 else f"{ratio:,.0f}×"


def format_saving(nbytes: int, stored_nbytes: int) -> str:
    """Write the share that is saved: ``65.4 % saved``; more than before is said as such."""
    if nbytes <= 0:
        return NOTHING
    saving = 1 - stored_nbytes / nbytes
    return (
        f"{saving:.1%} saved".replace("%", " %") if saving >= 0 else f"{-saving:.1%} more".replace("%", " %")
    )


def format_reduction(nbytes: int, stored_nbytes: int) -> str:
    """Write ratio and saving together: ``2.9×, 65.4 % saved``."""
    return f"{format_ratio(nbytes, stored_nbytes)}, {format_saving(nbytes, stored_nbytes)}"


def format_share(part: int, whole: int) -> str:
    """Write a part as a share of a whole: ``12.5 %``."""
    return NOTHING if whole == 0 else f"{part / whole:.1%}".replace("%", " %")


def format_count(count: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun: ``1 file``, ``2,000 files``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def format_date(date_ms: int | None) -> str:
    """Write a date of the store, milliseconds since 1970, as UTC to the minute."""
    if date_ms is None:
        return NOTHING
    return f"{datetime.fromtimestamp(date_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def format_commit_id(commit_id: str) -> str:
    """Shorten a commit id to what a person compares."""
    return commit_id[:12]


def format_shape(shape: tuple[int, ...]) -> str:
    """Write a shape: ``[2048, 256]``, ``[]`` for a single number."""
    return "[" + ", ".join(str(size) for size in shape) + "]"
