"""Static files are found by names that hold their content's digest."""

from __future__ import annotations

import re

from tensorhub.hub.pages.static_files import find_static_file, load_static_files


def test_files() -> None:
    """Styles, scripts and the icon are there; their names change with their content."""
    files = load_static_files()
    assert {"page.css", "page.js", "theme.js", "icon.svg"} <= set(files)
    for item in files.values():
        assert re.fullmatch(r"\w+\.[0-9a-f]{12}\.(css|js|svg)", item.versioned_name)
        assert find_static_file(item.versioned_name) is item
    assert find_static_file("page.css") is None
    assert find_static_file("../page.css") is None


def test_nothing_comes_from_elsewhere() -> None:
    """The page works without a network: no address of another host in any file that a browser loads."""
    for item in load_static_files().values():
        text = item.content.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
        assert "url(" not in text
        assert "@import" not in text


def test_contrast() -> None:
    """Text has a contrast of at least 4.5 on what it stands on, light and dark (WCAG 2.1, 1.4.3)."""
    css = load_static_files()["page.css"].content.decode()
    blocks = re.findall(r"\{\s*color-scheme: (?:light|dark);(.*?)\}", css, re.S)
    assert len(blocks) == 3
    for block in blocks:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for ink in ("ink", "muted", "accent", "warn"):
            for ground in ("ground", "surface", "raised"):
                assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        assert contrast(colours["accent-ink"], colours["accent"]) >= 4.5
        assert contrast(colours["warn"], colours["warn-ground"]) >= 4.5
        assert contrast(colours["strong-line"], colours["surface"]) >= 3  # of controls, 1.4.11
    assert blocks[1].split() == blocks[2].split(), "the system's dark and the chosen dark are the same"


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
