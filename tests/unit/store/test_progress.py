"""Progress adds up to the work there was."""

from pathlib import Path

from tensorhub import Store, add_folder, collect_garbage, restore, verify
from tensorhub.store.progress import Quiet

from ...weights import noise, safetensors, tuned, weights, write_folder


class Book:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, int | None, int]] = []
        self.ends = 0
        self.notices: list[str] = []

    def begin(self, label: str, total_nbytes: int | None) -> None:
        self.pieces.append((label, total_nbytes, 0))

    def advance(self, nbytes: int) -> None:
        label, total, done = self.pieces[-1]
        self.pieces[-1] = label, total, done + nbytes

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def end(self) -> None:
        self.ends += 1


def check(book: Book) -> None:
    assert book.ends == 1
    for label, total, done in book.pieces:
        assert total is None or done == total, label


def test_adds_up(store: Store, tmp_path: Path) -> None:
    """Every piece of work is told to its end, for known content, twins and deltas alike."""
    base = weights((128, 320), 1)
    files = {
        "m.safetensors": safetensors({"w": base}), "again.safetensors": safetensors({"w": base}),
        "n.safetensors": safetensors({"w": tuned(base, 2)}), "x": noise(1_200_000, 1), "y": b"",
    }  # fmt: skip
    folder = write_folder(tmp_path / "in", files)
    for name in ("a/b", "c/d"):
        book = Book()
        add_folder(store, folder, name, progress=book)
        assert book.pieces[0][1] == sum(map(len, files.values()))
        check(book)
    for run in (
        lambda book: restore(store, "a/b", tmp_path / "out", progress=book),
        lambda book: verify(store, progress=book),
        lambda book: collect_garbage(store, grace_s=0, progress=book),
    ):
        book = Book()
        run(book)
        check(book)


def test_quiet() -> None:
    """Nobody need listen."""
    quiet = Quiet()
    quiet.begin("x", None)
    quiet.advance(1)
    quiet.notice("x")
    quiet.end()
