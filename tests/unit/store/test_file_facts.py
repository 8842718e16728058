"""SHA-256 and git SHA-1 of stored files: looked up, missed, computed, kept."""

import hashlib

import pytest

from tensorhub import Digest, Store, collect_garbage, parse_repository, rebuild_catalog
from tensorhub.errors import IntegrityError
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.store import file_facts as file_facts_module
from tensorhub.store.file_facts import (
    FileFacts,
    append_facts,
    compute_file_facts,
    count_without_facts,
    file_facts,
    files_without_facts,
    fill_file_facts,
)

from ...weights import assert_sound, noise, put, safetensors, tuned, weights

BASE = weights((300, 400), 1)
MODEL = safetensors(
    {"a": BASE, "b": tuned(BASE, 2), **{f"t{index}": weights((8, 8), index) for index in range(40)}}
)
TEXT = b"text of a file\n" * 30
NO_FILE = Digest(bytes(32))


class Listener:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.nbytes, self.notices = 0, list[str]()

    def begin(self, label: str, total_nbytes: int | None) -> None:
        raise AssertionError

    def advance(self, nbytes: int) -> None:
        self.nbytes += nbytes

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def end(self) -> None:
        raise AssertionError


def git_sha1(data: bytes) -> bytes:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).digest()


def file_of(store: Store, repository: str, path: str) -> Digest:
    return next(info.digest for info in store.files(repository) if info.path == path)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("piece_nbytes", [1000, 1 << 18, None])
def test_computing(
    store: Store, monkeypatch: pytest.MonkeyPatch, workers: int, piece_nbytes: int | None
) -> None:
    """The hashes are those of the content, however it is cut; git's only for text, or where it is asked for."""
    if piece_nbytes:
        monkeypatch.setattr(file_facts_module, "PIECE_NBYTES", piece_nbytes)
    files = {"m.safetensors": MODEL, "README.md": TEXT, "empty": b"", "odd": noise(9000, 1) + b"\0"}
    put(store, "a/b", files)
    for path, content in files.items():
        listener = Listener()
        file = file_of(store, "a/b", path)
        found = compute_file_facts(store, file, progress=listener, workers=workers)
        assert listener.nbytes == len(content)
        values = {fact.kind: fact.value for fact in found}
        assert values[FactKind.FILE_SHA256] == hashlib.sha256(content).digest()
        is_text = path in ("README.md", "empty")
        assert values.get(FactKind.FILE_GIT_SHA1) == (git_sha1(content) if is_text else None)
        for fact in compute_file_facts(store, file, wants_git_sha1=True, workers=workers)[1:]:
            assert fact == Fact(FactKind.FILE_GIT_SHA1, file, git_sha1(content))
        assert len(compute_file_facts(store, file, wants_git_sha1=False)) == 1


def test_large_text_is_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text above the limit has no git SHA-1."""
    monkeypatch.setattr(file_facts_module, "GIT_SHA1_MAX_NBYTES", len(TEXT) - 1)
    put(store, "a/b", {"x": TEXT})
    assert len(compute_file_facts(store, file_of(store, "a/b", "x"))) == 1


def test_stopping(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops between pieces and gives nothing; what other files got is kept."""
    monkeypatch.setattr(file_facts_module, "PIECE_NBYTES", 50_000)
    put(store, "a/b", {"m.safetensors": MODEL, "x": TEXT})
    answers = iter([False, False, True])
    file = file_of(store, "a/b", "m.safetensors")
    assert compute_file_facts(store, file, should_stop=lambda: next(answers), workers=2) == []
    answers = iter([False, False, True])
    done = fill_file_facts(store, files_without_facts(store), should_stop=lambda: next(answers))
    assert (done.is_stopped, done.files, done.nbytes) == (True, 1, len(TEXT))
    assert [item.file for item in files_without_facts(store)] == [file]


def test_filling(store: Store) -> None:
    """Every live file gets its facts, those of all in one pack; they survive a new catalogue and gc."""
    put(store, "a/b", {"m.safetensors": MODEL, "x": TEXT})
    put(store, "datasets/c/d", {"x": TEXT, "y": b"y"})
    put(store, "datasets/c/d", {"z": b"z"})
    waiting = files_without_facts(store)
    assert [item.nbytes for item in waiting] == [1, 1, len(TEXT), len(MODEL)]
    both = (parse_repository("c/d", "dataset"), parse_repository("a/b"))
    assert waiting[2].repositories == both
    assert count_without_facts(store) == (4, sum(item.nbytes for item in waiting))
    only = files_without_facts(store, parse_repository("a/b"))
    assert [(item.nbytes, item.repositories) for item in only] == [
        (len(TEXT), both[1:]), (len(MODEL), both[1:]),
    ]  # fmt: skip
    assert files_without_facts(store, limit=1) == waiting[:1]
    packs = len(store.layout.list_packs())
    listener = Listener()
    done = fill_file_facts(store, waiting, progress=listener)
    assert (done.files, done.nbytes, done.failures, done.is_stopped) == (4, listener.nbytes, {}, False)
    assert len(store.layout.list_packs()) == packs + 1
    assert files_without_facts(store) == []
    assert count_without_facts(store) == (0, 0)
    text = waiting[2].file
    expected = {text: FileFacts(hashlib.sha256(TEXT).digest(), git_sha1(TEXT))}
    assert file_facts(store, [text, NO_FILE]) == expected
    append_facts(store, [Fact(FactKind.FILE_SHA256, text, hashlib.sha256(TEXT).digest())])
    append_facts(store, [])
    assert len(store.layout.list_packs()) == packs + 1
    store.delete_repository("datasets/c/d")
    collect_garbage(store, grace_s=0)
    assert file_facts(store, [text]) == expected
    store.close()
    rebuild_catalog(store.path)
    with Store.open(store.path) as opened:
        assert file_facts(opened, [text]) == expected
        assert_sound(opened)


def test_what_nobody_reaches_needs_no_facts(store: Store) -> None:
    """A file whose ref is gone is not waited for."""
    put(store, "a/b", {"x": b"1"}, revision="dev")
    put(store, "a/b", {"y": b"2"})
    store.delete_ref("a/b", "dev")
    assert [item.nbytes for item in files_without_facts(store)] == [1]


def test_claims(store: Store) -> None:
    """A claimed fact counts as unknown; a computed one takes its place, whether it comes later or with a commit."""
    right, wrong = hashlib.sha256(TEXT).digest(), bytes(32)

    def claim(path: str, value: bytes, *, is_claimed: bool, name: str = "a/b") -> Digest:
        with store.begin_commit(name) as transaction:
            transaction.put_file(path, TEXT)
            transaction.claim(path, Fact(FactKind.FILE_SHA256, NO_FILE, value, is_claimed))
            transaction.publish()
        return file_of(store, name, path)

    file = claim("x", wrong, is_claimed=True)
    assert file_facts(store, [file]) == {}
    assert file_facts(store, [file], with_claimed=True) == {file: FileFacts(wrong, None)}
    (item,) = files_without_facts(store)
    listener = Listener()
    fill_file_facts(store, [item], progress=listener)
    assert "its origin says another" in listener.notices[0]
    assert file_facts(store, [file], with_claimed=True)[file].sha256 == right
    claim("y", wrong, is_claimed=True)
    assert file_facts(store, [file])[file].sha256 == right
    packs = store.layout.list_packs()
    append_facts(store, [Fact(FactKind.FILE_SHA256, file, wrong, is_claimed=True)])
    assert store.layout.list_packs() == packs
    append_facts(store, [Fact(FactKind.FILE_SHA256, NO_FILE, wrong, is_claimed=True)])
    assert file_facts(store, [NO_FILE], with_claimed=True)[NO_FILE].sha256 == wrong


def test_computed_by_the_uploader(store: Store) -> None:
    """A fact that came with a commit and was computed counts at once, and replaces one that was claimed."""
    right = hashlib.sha256(TEXT).digest()
    for value, is_claimed in ((bytes(32), True), (right, False)):
        with store.begin_commit("a/b") as transaction:
            transaction.put_file("x", TEXT)
            transaction.claim("x", Fact(FactKind.FILE_SHA256, NO_FILE, value, is_claimed))
            transaction.publish()
    assert file_facts(store, [file_of(store, "a/b", "x")])[file_of(store, "a/b", "x")].sha256 == right
    assert files_without_facts(store) == []


def test_damage_holds_nothing_up(store: Store) -> None:
    """A file that cannot be read is told; the others get their facts."""
    put(store, "a/b", {"x": noise(50_000, 1)})
    (path,) = store.layout.list_packs().values()
    put(store, "c/d", {"y": b"y"})
    data = bytearray(path.read_bytes())
    data[20_000] ^= 1
    path.write_bytes(data)
    store.reader.forget()
    listener = Listener()
    done = fill_file_facts(store, files_without_facts(store), progress=listener)
    damaged = file_of(store, "a/b", "x")
    assert list(done.failures) == [damaged]
    assert listener.notices[0].startswith("a/b: ")
    assert [item.file for item in files_without_facts(store)] == [damaged]
    with pytest.raises(IntegrityError):
        compute_file_facts(store, damaged, workers=2)
