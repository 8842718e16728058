"""Paths, hub.json, and small durable writes."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tensorhub import Store, default_store_path
from tensorhub.codecs.mode import Mode
from tensorhub.errors import (
    AlreadyExistsError,
    CorruptIndexError,
    NotFoundError,
    StoreNotFoundError,
    UnsupportedVersionError,
    UsageError,
)
from tensorhub.schema.names import RefKind, RefName, RepositoryId, RepoType
from tensorhub.store import layout as layout_module
from tensorhub.store.layout import (
    Layout,
    _settings_checksum,
    create_layout,
    decode_ref,
    decode_repository,
    encode_name,
    open_layout,
    write_durably,
)

from ...weights import noise, put


@pytest.mark.parametrize("is_keyed", [False, True])
def test_settings_round_trip(tmp_path: Path, is_keyed: bool) -> None:
    """What creation fixes is what opening reads."""
    _, made = create_layout(tmp_path / "hub", is_keyed=is_keyed)
    _, found = open_layout(tmp_path / "hub")
    assert found == made
    assert (found.key is not None) is is_keyed
    assert len(found.store_id) == 16


@pytest.mark.parametrize("mode", Mode)
def test_mode_round_trip(tmp_path: Path, mode: Mode) -> None:
    """A store's mode is what creation said; balanced is written as nothing, as stores had it before."""
    create_layout(tmp_path / "hub", is_keyed=False, mode=mode)
    layout, found = open_layout(tmp_path / "hub")
    assert found.mode is mode
    assert ("mode" in json.loads(layout.hub_json.read_text())) is (mode is not Mode.BALANCED)
    assert found.choose_mode(None) is mode
    assert found.choose_mode("fast") is found.choose_mode(Mode.FAST) is Mode.FAST
    with pytest.raises(UsageError):
        found.choose_mode("slow")


@pytest.mark.parametrize("value", ["turbo", 7, None, ["max"], {}])
def test_unknown_mode_is_balanced(tmp_path: Path, value: object) -> None:
    """A mode of a later version closes no store: it only steers encoders."""
    layout, _ = create_layout(tmp_path / "hub", is_keyed=False)
    document = json.loads(layout.hub_json.read_text()) | {"mode": value}
    document["checksum"] = _settings_checksum(document)
    layout.hub_json.write_text(json.dumps(document))
    assert open_layout(tmp_path / "hub")[1].mode is Mode.BALANCED


def test_two_stores_differ(tmp_path: Path) -> None:
    """Every store has an id and, if keyed, a key of its own."""
    first, second = (create_layout(tmp_path / name, is_keyed=True)[1] for name in "ab")
    assert first.store_id != second.store_id
    assert first.key != second.key


def test_create_refuses_what_is_there(tmp_path: Path) -> None:
    """Neither a store nor a folder with anything in it is made a store."""
    create_layout(tmp_path / "hub", is_keyed=False)
    before = (tmp_path / "hub" / "hub.json").read_bytes()
    with pytest.raises(AlreadyExistsError, match="a store"):
        create_layout(tmp_path / "hub", is_keyed=False)
    assert (tmp_path / "hub" / "hub.json").read_bytes() == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x").write_text("x")
    with pytest.raises(AlreadyExistsError):
        create_layout(tmp_path / "other", is_keyed=False)
    with pytest.raises(NotFoundError):
        create_layout(tmp_path / "other" / "x" / "hub", is_keyed=False)


@pytest.mark.parametrize("lost", ["packs", "refs"])
def test_a_lost_hub_json_is_no_new_store(tmp_path: Path, lost: str) -> None:
    """Packs or refs without settings are a damaged store: nothing is made over them."""
    with Store.create(tmp_path / "hub") as store, store.begin_commit("o/n") as transaction:
        transaction.put_file("x", b"x" * 5000)
        transaction.publish()
    (tmp_path / "hub" / "hub.json").unlink()
    for path in (tmp_path / "hub").glob("state*"):
        path.unlink()
    for path in (tmp_path / "hub").glob("catalog*"):
        path.unlink()
    shutil.rmtree(tmp_path / "hub" / lost)
    with pytest.raises(CorruptIndexError, match=r"hub\.json"):
        create_layout(tmp_path / "hub", is_keyed=False)
    assert not (tmp_path / "hub" / "hub.json").exists()


def test_interrupted_creation_can_be_repeated(tmp_path: Path) -> None:
    """Folders without a hub.json are no store yet, and do not stand in the way of one."""
    for name in ("packs", "refs", "leases"):
        (tmp_path / "hub" / name).mkdir(parents=True)
    with pytest.raises(StoreNotFoundError):
        open_layout(tmp_path / "hub")
    create_layout(tmp_path / "hub", is_keyed=False)
    open_layout(tmp_path / "hub")


def test_open_finds_no_store(tmp_path: Path) -> None:
    """A missing folder, an empty one and a file are no stores."""
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "file"):
        with pytest.raises(StoreNotFoundError):
            Store.open(path)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format_version": 2}, UnsupportedVersionError),
        ({"digest": "sha1"}, UnsupportedVersionError),
        ({"cipher": "aes"}, UnsupportedVersionError),
        ({"format": "other"}, CorruptIndexError),
        ({"format_version": "1"}, CorruptIndexError),
        ({"store_id": "00"}, CorruptIndexError),
        ({"store_id": "no hex"}, CorruptIndexError),
        ({"store_id": None}, CorruptIndexError),
        ({"digest": "blake3-keyed"}, CorruptIndexError),
        ({"digest": "blake3-keyed", "digest_key": "00"}, CorruptIndexError),
    ],
)
def test_settings_that_are_not_known(tmp_path: Path, change: dict[str, object], error: type) -> None:
    """Values that this version does not know are refused, never guessed."""
    layout, _ = create_layout(tmp_path / "hub", is_keyed=False)
    document = json.loads(layout.hub_json.read_text()) | change
    layout.hub_json.write_text(json.dumps(document))
    with pytest.raises(error) as caught:
        open_layout(tmp_path / "hub")
    assert caught.value.action


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"1", b"\xff\xfe", b"[" * 100_000])
def test_settings_that_are_no_settings(tmp_path: Path, text: bytes) -> None:
    """Whatever lies in hub.json, the answer is a clear error."""
    layout, _ = create_layout(tmp_path / "hub", is_keyed=False)
    layout.hub_json.write_bytes(text)
    with pytest.raises(CorruptIndexError):
        open_layout(tmp_path / "hub")


@pytest.mark.parametrize("name", ["main", "a/b", ".hidden", "..", "ünïcode", "a%2Fb", "x.tmp", "a b", "%"])
def test_ref_names_round_trip(name: str) -> None:
    """A ref name becomes one plain file name and comes back; none is hidden."""
    encoded = encode_name(name)
    assert "/" not in encoded
    assert not encoded.startswith(".")
    assert decode_ref("heads", encoded) == RefName(RefKind.HEADS, name)


def test_ref_names_never_collide() -> None:
    """Two names never share a file."""
    names = ["a/b", "a%2Fb", "a%2fb", "a b", "a+b", "%2E", ".", "A/B"]
    assert len({encode_name(name) for name in names}) == len(names)


def test_repository_folder_round_trip(tmp_path: Path) -> None:
    """A repository's folder name gives back type and id as written."""
    repository = RepositoryId(RepoType.DATASET, "Owner/na.me_x")
    folder = Layout(tmp_path).repository(repository)
    assert folder.parent == tmp_path / "refs" / "dataset"
    assert decode_repository("dataset", folder.name) == repository


def test_strangers_among_packs(tmp_path: Path) -> None:
    """Only files that are named like packs are taken for packs."""
    layout, _ = create_layout(tmp_path / "hub", is_keyed=False)
    folder = layout.packs / "ab"
    folder.mkdir()
    for name in (
        "x.pack",
        "ab" * 32 + ".tmp",
        "ab" * 32 + ".pack.bak",
        "zz" * 32 + ".pack",
        "ab" * 32 + ".pack",
    ):
        (folder / name).write_bytes(b"")
    (layout.packs / "notes.txt").write_bytes(b"")
    assert [pack.hex for pack in layout.list_packs()] == ["ab" * 32]


def test_write_durably_replaces_as_a_whole(tmp_path: Path) -> None:
    """A failed write leaves the old content and no temporary file."""
    path = tmp_path / "sub" / "file"
    write_durably(path, b"old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_bytes(b"")
    write_durably(path, b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(Exception, match="writing"):
        write_durably(tmp_path / "folder", b"not over a folder")
    assert [item.name for item in path.parent.iterdir()] == ["file"]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["folder", "sub"]


def test_default_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment decides, else the platform's data folder."""
    monkeypatch.setenv("TENSORHUB_STORE", str(tmp_path))
    assert default_store_path() == tmp_path
    monkeypatch.setenv("TENSORHUB_STORE", "~/x")
    assert default_store_path() == Path.home() / "x"
    monkeypatch.delenv("TENSORHUB_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_store_path().parts[-2:] == ("tensorhub", "store")


def test_packs_are_listed_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that did not change is not listed again; one that did is, and a fresh one is never trusted."""
    put(store, "a/b", {"x": noise(5000, 1)})
    (pack,) = store.layout.list_packs()
    listed: list[str] = []
    original = layout_module._list_folder
    monkeypatch.setattr(
        layout_module, "_list_folder", lambda folder: listed.append(folder.name) or original(folder)
    )
    for _ in range(2):
        listed.clear()
        assert list(store.layout.list_packs()) == [pack]
        assert listed == [pack.hex[:2]]
    folder = store.layout.pack(pack).parent
    os.utime(folder, ns=(10**18, 10**18))
    store.layout.list_packs()
    listed.clear()
    assert list(store.layout.list_packs()) == [pack]
    assert listed == []
    store.layout.pack(pack).unlink()
    assert store.layout.list_packs() == {}
