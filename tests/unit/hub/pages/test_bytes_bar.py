"""The bar of where the bytes went covers everything once."""

from __future__ import annotations

import pytest

from tensorhub.hub.pages.bytes_bar import BAR_WIDTH, plan_bytes_bar
from tensorhub.store.values import Saved


def test_parts_fill_the_bar() -> None:
    """They lie side by side in a fixed order, with exact bytes and shares."""
    bar = plan_bytes_bar(Saved(100, 200, 300, 50, 25), 1000, 375)
    assert [part.key for part in bar.parts] == ["files", "tensors", "delta", "standalone", "kept", "overhead"]
    assert [part.nbytes for part in bar.parts] == [100, 200, 300, 50, 350, 25]
    end = 0.0
    for part in bar.parts:
        assert part.x == pytest.approx(end, abs=0.02)
        end = part.x + part.width
    assert end == pytest.approx(BAR_WIDTH, abs=0.05)
    assert bar.parts[0].share == 0.1
    assert sum(part.nbytes for part in bar.parts if part.is_on_disk) == 375
    assert bar.disk_x == bar.parts[4].x


def test_what_cost_more_than_it_saved() -> None:
    """A negative part is told, and takes no room."""
    bar = plan_bytes_bar(Saved(0, 0, -10, 5, 0), 100, 105)
    assert [(part.nbytes, part.width) for part in bar.parts][2] == (-10, 0.0)
    assert sum(part.width for part in bar.parts) == pytest.approx(BAR_WIDTH, abs=0.05)


def test_empty() -> None:
    """A store without content has no parts."""
    assert plan_bytes_bar(Saved(0, 0, 0, 0, 500), 0, 500).parts == ()
