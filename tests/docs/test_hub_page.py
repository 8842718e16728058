"""The page for operators names every metric, and its examples are whole."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

from tensorhub import Store
from tensorhub.hub.config import HubConfig
from tensorhub.hub.hub import Hub
from tensorhub.hub.metrics import HubMetrics
from tensorhub.hub.mirror_metrics import collect_mirror

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "hub.md").read_text(encoding="utf-8")


def test_metrics_are_documented(store: Store) -> None:
    """Each that there is, and no others."""
    hub = Hub(store, HubConfig(upstream="http://other.example"))
    mirror = hub.mirror
    assert mirror is not None
    try:
        metrics = HubMetrics(hub)
        metrics.add(lambda: collect_mirror(mirror))
        text = metrics.render().decode()
    finally:
        hub.close()
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    names = {name for name in types if not name.endswith("_created")}
    documented = set(
        re.findall(r"`(tensorhub_\w+)`", PAGE[PAGE.index("| Metric |") : PAGE.index("The log is on")])
    )
    assert documented == names


def test_the_unit_file_is_one() -> None:
    """It has its three sections, and starts a command that exists."""
    block = re.search(r"```ini\n(.*?)```", PAGE, re.S)
    assert block
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(block.group(1))
    assert unit.sections() == ["Unit", "Service", "Install"]
    assert "tensorhub serve" in unit["Service"]["ExecStart"]


def test_the_image_copies_what_exists() -> None:
    """Every path that the Dockerfile copies from here is here, and is not ignored."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    sources = [
        word for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M) for word in line.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source.removeprefix('./')}" in ignored.splitlines(), source
    assert text.count("USER tensorhub") == 1
