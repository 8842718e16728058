"""A flipped bit anywhere: the damage is named, never are wrong bytes given, and what is undamaged stays readable."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

import tensorhub as th
from tensorhub.errors import (
    CorruptIndexError,
    CorruptPackError,
    IntegrityError,
    TensorHubError,
    UnsupportedVersionError,
)
from tensorhub.store.pack import FOOT_NBYTES, HEAD_NBYTES

from .conftest import Family, read_all

pytestmark = pytest.mark.wide

Flip = Callable[[Path, int], None]


def sampled(begin: int, end: int, count: int, seed: int = 0) -> list[int]:
    """Bit positions: one bit of each byte, or of ``count`` bytes where there are more."""
    rng = random.Random(seed)
    chosen = range(begin, end) if end - begin <= count else sorted(rng.sample(range(begin, end), count))
    return [8 * byte + rng.randrange(8) for byte in chosen]


def check_reads(store: th.Store, family: Family) -> set[tuple[str, str]]:
    """Every file gives its own bytes or an IntegrityError; gives the unreadable ones."""
    unreadable = set()
    for key, found in read_all(store, family).items():
        if isinstance(found, TensorHubError):
            assert isinstance(found, IntegrityError), f"{key}: {type(found).__name__}: {found}"
            assert found.action
            unreadable.add(key)
        else:
            assert found == family.contents[key], f"{key}: wrong bytes"
    return unreadable


def regions(pack: Path) -> dict[str, Iterable[int]]:
    data = pack.read_bytes()
    table = int.from_bytes(data[-FOOT_NBYTES:][:8], "little")
    return {
        "header": sampled(0, HEAD_NBYTES, 64),
        "data": sampled(HEAD_NBYTES, table, 40),
        "table": sampled(table, len(data) - FOOT_NBYTES, 60),
        "footer": sampled(len(data) - FOOT_NBYTES, len(data), 64),
    }


@pytest.mark.parametrize("region", ["header", "data", "table", "footer"])
@pytest.mark.parametrize("repository", ["a/base", "b/small"])
def test_in_a_pack(family: Family, flip: Flip, repository: str, region: str):
    pack = family.pack_of(repository)
    other = {key for key in family.contents if key[0] not in (repository, "a/tuned")}
    for position in regions(pack)[region]:
        flip(pack, position)
        with th.Store.open(family.path) as store:
            unreadable = check_reads(store, family)
            assert not unreadable & other, position
            assert region == "data" or not unreadable, position  # the catalogue has its own copy of the table
            with pytest.raises((CorruptPackError, UnsupportedVersionError)):
                damaged = store.layout.pack(th.Digest.parse(pack.stem))
                table_or_hash_is_wrong(store, damaged, region)
        flip(pack, position)


def table_or_hash_is_wrong(store: th.Store, pack: Path, region: str) -> None:
    from tensorhub.store.pack import PackFile

    if region == "data":
        if store.settings.hasher.digest(pack.read_bytes()).hex != pack.stem:
            raise CorruptPackError("pack")
    else:
        PackFile(pack, None).read_table(store.settings.store_id)


@pytest.mark.parametrize("region", ["header", "data", "table", "footer"])
def test_verify_names_the_pack_and_the_files(family: Family, flip: Flip, region: str):
    pack = family.pack_of("a/base")
    for position in list(regions(pack)[region])[::9]:
        flip(pack, position)
        with th.Store.open(family.path) as store:
            damages = th.verify(store).damages
            assert pack.stem in {damage.thing for damage in damages if damage.kind == "pack"}, position
            named = {
                place.split("@")[0] + place[place.index(":") :] for item in damages for place in item.affected
            }
            unreadable = {f"{name}:{path}" for name, path in check_reads(store, family)}
            assert named == unreadable, position
        flip(pack, position)


@pytest.mark.parametrize("region", ["header", "table", "footer"])
def test_a_catalogue_built_anew_beside_a_damaged_pack(family: Family, flip: Flip, region: str):
    """Then only the other packs' content is there; the store opens, and reads nothing wrong."""
    pack = family.pack_of("a/tuned")
    for position in list(regions(pack)[region])[::6]:
        flip(pack, position)
        notices = th.rebuild_catalog(family.path)
        assert any(pack.stem in notice for notice in notices), position
        with th.Store.open(family.path) as store:
            assert check_reads(store, family) == {key for key in family.contents if key[0] == "a/tuned"}
            assert pack.stem in {damage.thing for damage in th.verify(store).damages}
        flip(pack, position)
    th.rebuild_catalog(family.path)
    with th.Store.open(family.path) as store:
        assert not check_reads(store, family)


def test_a_catalogue_that_vanished_beside_a_damaged_pack(family: Family, flip: Flip):
    pack = family.pack_of("a/base")
    flip(pack, 8 * (pack.stat().st_size - 20))
    (family.path / "catalog.sqlite").unlink()
    with th.Store.open(family.path) as store:
        assert ("b/small", "config.json") not in check_reads(store, family)


def test_in_a_ref(family: Family, flip: Flip):
    ref = family.ref_of("a/tuned")
    with th.Store.open(family.path) as store:
        other = {key for key in family.contents if key[0] != "a/tuned"}
        for position in range(0, 8 * ref.stat().st_size, 3):
            flip(ref, position)
            assert not check_reads(store, family) & other, position
            with pytest.raises(IntegrityError):
                store.read("a/tuned", "notes/x")
            flip(ref, position)
        for position in range(0, 8 * ref.stat().st_size, 37):
            flip(ref, position)
            report = th.verify(store)
            assert any("a/tuned" in damage.thing for damage in report.damages), position
            flip(ref, position)


def test_in_another_ref_of_the_same_repository(family: Family):
    with th.Store.open(family.path) as store:
        (family.ref_of("a/tuned").parent / "dev").write_bytes(b"damaged\n")
        assert not check_reads(store, family)
        with pytest.raises(CorruptIndexError):
            store.read("a/tuned", "notes/x", revision="dev")
        with pytest.raises(CorruptIndexError):
            th.collect_garbage(store, grace_s=0)  # what a damaged ref reaches is not known to be dead


@pytest.mark.parametrize("is_keyed", [False, True])
def test_in_hub_json(tmp_path: Path, flip: Flip, is_keyed: bool):
    th.Store.create(tmp_path / "store", is_keyed=is_keyed).close()
    hub = tmp_path / "store" / "hub.json"
    for position in sampled(0, hub.stat().st_size, 400):
        flip(hub, position)
        with pytest.raises((CorruptIndexError, UnsupportedVersionError)) as caught:
            th.Store.open(tmp_path / "store")
        assert "hub.json" in str(caught.value)
        flip(hub, position)
    th.Store.open(tmp_path / "store").close()


def test_in_the_catalogue(family: Family, flip: Flip):
    """Right answers or a clear error, whatever the bit; and it can always be built anew."""
    catalog = family.path / "catalog.sqlite"
    with th.Store.open(family.path) as store:
        store.catalog.compact()
    sound = catalog.read_bytes()
    refused = 0
    for position in sampled(0, 512, 60) + sampled(512, len(sound), 160, seed=1):
        flip(catalog, position)
        try:
            with th.Store.open(family.path) as store:
                refused += bool(check_reads(store, family))
        except (IntegrityError, UnsupportedVersionError) as error:
            assert "--rebuild-catalog" in str(error), position
            refused += 1
        for side in ("", "-wal", "-shm"):
            catalog.with_name(catalog.name + side).unlink(missing_ok=True)
        catalog.write_bytes(sound)
    assert refused > 10
    flip(catalog, 8 * 4096 + 3)
    th.rebuild_catalog(family.path)
    with th.Store.open(family.path) as store:
        assert not check_reads(store, family)
        assert th.verify(store).is_sound
