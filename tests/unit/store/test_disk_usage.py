"""What the files of a store take."""

from pathlib import Path

import pytest

from tensorhub import Store
from tensorhub.store.disk_usage import PARTS, disk_usage, outside_packs_nbytes
from tensorhub.store.state import write_setting

from ...weights import noise, put


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_elsewhere: bool) -> None:
    """The parts add up; all but packs is told without looking at each ref."""
    if is_elsewhere:
        monkeypatch.setenv("TENSORHUB_CATALOG_DIR", str(tmp_path / "catalogs"))
    with Store.create(tmp_path / "hub") as store:
        put(store, "a/b", {"x": noise(50_000, 1)})
        store.create_ref("a/b", "refs/tags/v1")
        with store.state.write() as connection:
            write_setting(connection, "key", "value")
        (store.layout.uploads / "xet").mkdir(parents=True)
        (store.layout.uploads / "xet" / "part").write_bytes(bytes(700))
        usage = disk_usage(store)
        assert sum(usage[part] for part in PARTS) == usage["all"]
        assert usage["other"] >= 700
        assert usage["refs"] == 2 * 113
        assert all(usage[part] for part in PARTS)
        packs = sum(path.stat().st_size for path in store.layout.list_packs().values())
        assert usage["packs"] == packs
        assert outside_packs_nbytes(store, store.ref_store.count()[1]) == usage["all"] - packs
