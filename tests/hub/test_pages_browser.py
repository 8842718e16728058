"""The page in a real browser: each view, its drawings, search, keyboard, light and dark, on a desk and on a phone.

Needs Chromium (``make system-deps``); without one these tests are skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tensorhub import Store
from tensorhub.hub.pages.reader import OWNER

from .page_hub import fill
from .servers import run_hub

sync_api = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.wide,
    pytest.mark.skipif(
        BROWSER is None, reason="no browser is installed: `make system-deps` installs Chromium"
    ),
]
# Without these it looks for other hosts at its start, and as root it refuses to start.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEWS = {
    "/": "#growth svg, #bytes svg",
    "/?q=child": "table.repositories",
    "/family": "svg.tree",
    "/health": "#disk-heading",
    "/login": "#token",
    "/ada/base": ".card h3",
    "/ada/child": ".commands pre",
    "/ada/base/tree/main": "table",
    "/ada/base/blob/main/model.safetensors": "table.tensors",
    "/ada/base/blob/main/config.json": ".listing .text",
    "/ada/base/blob/main/data.bin": ".empty",
    "/ada/base/tensors/main": "table.tensors",
    "/ada/base/commits/main": "ol.history",
    "/ada/base/discussions": ".empty",
    "/ada/child/family/main": "svg.tree",
    "/datasets/ada/empty": ".copyable pre",
}
NAMELESS = """() => [...document.querySelectorAll('input:not([type=hidden]), select, button, a')].filter(one =>
    !(one.getAttribute('aria-label') || one.textContent.trim() || (one.labels && one.labels.length)))
    .map(one => one.outerHTML)"""
SIZES = {"desk": (1280, 860), "phone": (390, 844)}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Store.create(tmp_path_factory.mktemp("browser") / "hub") as store:
        fill(store)
        with run_hub(store) as (url, hub):
            hub.page_data.survey(hub.page_data.visible(OWNER), is_whole=True, wait_s=30)
            yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield opened
        opened.close()


class Watched:
    """A page whose complaints are collected."""

    def __init__(self, browser: sync_api.Browser, size: str, theme: str) -> None:
        width, height = SIZES[size]
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else "light"
        )
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note_request)
        self.hosts: set[str] = set()

    def _note(self, message: sync_api.ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _note_request(self, request: sync_api.Request) -> None:
        self.hosts.add(request.url.split("/")[2])


@pytest.fixture
def watched(browser: sync_api.Browser, request: pytest.FixtureRequest) -> Iterator[Watched]:
    size, theme = getattr(request, "param", ("desk", "light"))
    made = Watched(browser, size, theme)
    yield made
    made.context.close()
    assert made.complaints == []


@pytest.mark.parametrize(
    "watched", [("desk", "light"), ("desk", "dark"), ("phone", "light")], indirect=True, ids=str
)
def test_each_view(watched: Watched, address: str, tmp_path: Path) -> None:
    """It is drawn, complains of nothing, asks nobody else, fits the screen; controls have names, names do nothing."""
    page = watched.page
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    for path, wanted in VIEWS.items():
        page.goto(address + path)
        for selector in wanted.split(", "):
            assert page.locator(selector).first.is_visible(), (path, selector)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], f"{path} is {width} wide"
        assert page.evaluate(NAMELESS) == [], path
        assert page.locator("h1").count() == 1
        assert page.locator("table:not(:has(caption)), img[onerror], main script").count() == 0
        picture = tmp_path / "view.png"
        page.screenshot(path=picture, full_page=True)
        assert picture.stat().st_size > 5000
    assert watched.hosts == {address.split("/")[2]}


def test_drawings(watched: Watched, address: str) -> None:
    """The bar fills its width, and the tree's boxes lie apart, joined by lines, and lead somewhere."""
    page = watched.page
    page.goto(address)
    parts = [item.bounding_box() for item in page.locator("svg.bar rect").all()]
    bar = page.locator("svg.bar").bounding_box()
    assert sum(part["width"] for part in parts) == pytest.approx(bar["width"], rel=0.02)
    colours = page.locator("svg.bar rect").evaluate_all("all => all.map(one => getComputedStyle(one).fill)")
    assert len(set(colours)) == len(colours)
    page.goto(address + "/family")
    first, second = (item.bounding_box() for item in page.locator("svg.tree rect.box").all())
    assert first["x"] + first["width"] < second["x"] or second["x"] + second["width"] < first["x"]
    assert page.locator("svg.tree path.main").count() == 1
    page.locator("svg.tree a", has_text="ada/child").click()
    assert page.url == address + "/ada/child"


def test_search(watched: Watched, address: str) -> None:
    """Typing narrows the list in place; the address follows, and works by itself and without scripts."""
    page = watched.page
    page.goto(address)
    assert page.locator("table.repositories tbody tr").count() == 4
    page.get_by_label("Search repositories").press_sequentially("chil", delay=20)
    sync_api.expect(page.locator("table.repositories tbody tr")).to_have_count(1)
    assert page.url.endswith("?q=chil&sort=recent")
    assert page.get_by_label("Search repositories").input_value() == "chil"
    page.get_by_label("Order").select_option("name")
    page.wait_for_url("**/?q=chil&sort=name")
    page.reload()
    assert page.locator("table.repositories tbody tr").count() == 1
    page.get_by_label("Search repositories").fill("nothing at all")
    page.get_by_text("No repository fits").wait_for()


def test_without_scripts(browser: sync_api.Browser, address: str) -> None:
    """Search is a form, every command is shown, and nothing is out of reach."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.get_by_label("Search repositories").fill("child")
    page.get_by_role("button", name="Search").click()
    assert page.locator("table.repositories tbody tr").count() == 1
    page.goto(address + "/ada/child")
    commands = page.locator(".command")
    assert all(commands.nth(number).is_visible() for number in range(commands.count()))
    page.locator("details.picker summary").click()
    assert page.get_by_role("link", name="1", exact=False).first.is_visible()
    context.close()


def test_themes(watched: Watched, address: str) -> None:
    """The button turns light into dark, the choice stays, and choosing the system's own forgets it."""
    page = watched.page

    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    page.goto(address)
    light = ground()
    page.get_by_role("button", name="Switch to dark colours").click()
    sync_api.expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert ground() != light
    page.goto(address + "/family")
    assert ground() != light
    page.get_by_role("button", name="Switch to light colours").click()
    assert page.evaluate("localStorage.getItem('tensorhub-theme')") is None
    page.goto(address)
    assert ground() == light


def test_keyboard(watched: Watched, address: str) -> None:
    """The first tab stop skips to the content; commands are chosen by arrows; a menu closes by Escape."""
    page = watched.page
    page.goto(address + "/ada/base")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.get_by_role("tab", name="hf", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "huggingface_hub"
    assert page.get_by_role("tabpanel").locator("pre").inner_text().startswith("from huggingface_hub import")
    menu = page.locator("details.picker")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    assert menu.get_attribute("open") is not None
    page.keyboard.press("Escape")
    assert menu.get_attribute("open") is None
    for box in page.locator("a, button, input, select, summary").all():
        if box.is_visible():
            assert box.evaluate("one => one.tabIndex") >= -1
    visible = page.evaluate(
        """() => { const link = document.querySelector('.brand'); link.focus({focusVisible: true});
        return getComputedStyle(link).outlineStyle; }"""
    )
    assert visible == "solid"


def test_copying(watched: Watched, address: str) -> None:
    """A command lands in the clipboard as it is written."""
    watched.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = watched.page
    page.goto(address + "/ada/child")
    page.get_by_role("button", name="Copy the hf command").click()
    page.get_by_text("Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"HF_ENDPOINT={address} hf download ada/child"
