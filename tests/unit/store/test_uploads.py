"""Uploads that nobody finished go after a day; nothing else does."""

import os
import time
from pathlib import Path

from tensorhub import Store, collect_garbage, stats
from tensorhub.store.uploads import UPLOAD_AGE_S, sweep_uploads

from ...weights import assert_identity


def age(path: Path, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(path, (at, at), follow_symlinks=False)


def test_old_uploads_go(store: Store, tmp_path: Path) -> None:
    """Files older than a day are removed with folders that are empty then; younger ones and links' targets stay."""
    assert sweep_uploads(store.layout, now_s=time.time()) == (0, 0)
    folder = store.layout.uploads / "xet" / "old"
    folder.mkdir(parents=True)
    young = store.layout.uploads / "lfs"
    young.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"kept")
    for path, nbytes, seconds in (
        (folder / "a", 1000, UPLOAD_AGE_S + 60),
        (folder / "b", 200, UPLOAD_AGE_S + 60),
        (young / "c", 30, UPLOAD_AGE_S - 60),
    ):
        path.write_bytes(bytes(nbytes))
        age(path, seconds)
    (folder / "link").symlink_to(outside)
    age(folder / "link", 2 * UPLOAD_AGE_S)
    age(outside / "file", 2 * UPLOAD_AGE_S)
    link_nbytes = len(str(outside))
    expected = (3, 1200 + link_nbytes)
    assert stats(store).other_nbytes >= 1230
    assert_identity(store)
    assert sweep_uploads(store.layout, now_s=time.time(), is_dry_run=True) == expected
    planned = collect_garbage(store, is_dry_run=True)
    assert (planned.temporary_files_removed, planned.freed_nbytes) == expected
    report = collect_garbage(store)
    assert (report.temporary_files_removed, report.freed_nbytes) == expected
    assert [path.name for path in store.layout.uploads.rglob("*") if path.is_file()] == ["c"]
    assert (outside / "file").read_bytes() == b"kept"
    for path in (folder, folder.parent, young, store.layout.uploads):
        age(path, 2 * UPLOAD_AGE_S)
    assert sweep_uploads(store.layout, now_s=time.time()) == (0, 0)
    assert not folder.exists()
    assert young.is_dir()
