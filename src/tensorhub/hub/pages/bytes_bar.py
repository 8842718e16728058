"""Where the bytes went, drawn as one bar.

Duty: from the split of a saving to the geometry of a stacked bar. Not its duty: the split (``store.totals``), or SVG
(``templates/bytes_bar.html``).
Invariants: parts lie side by side without gap or overlap and fill the bar exactly; exact bytes stay beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tensorhub.store.values import Saved

BAR_WIDTH = 1000  # units of the drawing; the page scales it


@dataclass(frozen=True, slots=True)
class BarPart:
    """One part of the bar.

    Attributes
    ----------
    key
        Its style: ``files``, ``tensors``, ``delta``, ``standalone``, ``kept``, ``overhead``.
    label, meaning
        What it is, in a word and in a sentence.
    nbytes
        Exact; negative where something cost more than it saved, which the bar cannot show.
    x, width
        Where it lies, in units of the drawing.
    share
        Of all bytes as a user sees them, 0 to 1.
    is_on_disk
        Whether these bytes are on disk, or saved.
    """

    key: str
    label: str
    meaning: str
    nbytes: int
    x: float
    width: float
    share: float
    is_on_disk: bool


@dataclass(frozen=True, slots=True)
class BytesBar:
    """The whole bar; ``disk_x`` is where the bytes on disk begin."""

    nbytes: int
    stored_nbytes: int
    parts: tuple[BarPart, ...]
    disk_x: float
    width: int = BAR_WIDTH


_PARTS = (
    ("files", "Identical files", "Whole files that the store had already.", False),
    (
        "tensors",
        "Identical tensors",
        "Tensors, and other pieces of files, that the store had already.",
        False,
    ),
    ("delta", "Delta", "Tensors kept as what differs from a tensor that they resemble.", False),
    ("standalone", "Standalone", "What coding saves where nothing resembles it.", False),
    ("kept", "Kept", "What stays on disk of the content itself.", True),
    ("overhead", "Overhead", "Records, catalogue, refs, and what gc could free.", True),
)


def plan_bytes_bar(saved: Saved, nbytes: int, stored_nbytes: int) -> BytesBar:
    """Lay out where the bytes went.

    Parameters
    ----------
    saved
        The split; adds up to ``nbytes - stored_nbytes``, overhead counted against it.
    nbytes
        As a user sees them.
    stored_nbytes
        On disk.

    Returns
    -------
    BytesBar
        Without parts where there are no bytes.
    """
    sizes = (
        saved.identical_files,
        saved.identical_tensors,
        saved.delta,
        saved.standalone,
        stored_nbytes - saved.overhead,
        saved.overhead,
    )
    drawn = [max(0, size) for size in sizes]
    total = sum(drawn)
    if nbytes <= 0 or total <= 0:
        return BytesBar(nbytes, stored_nbytes, (), 0.0)
    parts: list[BarPart] = []
    before = 0
    for (key, label, meaning, is_on_disk), size, visible in zip(_PARTS, sizes, drawn, strict=True):
        x = BAR_WIDTH * before / total
        before += visible
        end = BAR_WIDTH * before / total
        parts.append(
            BarPart(key, label, meaning, size, round(x, 2), round(end - x, 2), size / nbytes, is_on_disk)
        )
    disk_x = next(part.x for part in parts if part.is_on_disk)
    return BytesBar(nbytes, stored_nbytes, tuple(parts), disk_x)
