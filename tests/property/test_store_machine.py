"""The store against a dictionary: whatever is done to both, they agree.

The default profile is small; ``pytest -m slow`` runs a longer one.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tensorhub import (
    Mode,
    Store,
    add_files,
    add_folder,
    collect_garbage,
    optimize,
    rebuild_catalog,
    restore,
    stats,
)
from tensorhub.store import coding

from ..modes import encode_by_mode
from ..weights import assert_identity, assert_sound, noise, safetensors, tuned, weights, write_folder

BASE = weights((96, 360), 1)
SMALL = weights((20, 30), 2)
GROWN = weights((120, 360), 3)
GROWN[:96] = BASE
CONTENTS = [
    b"",
    b"text",
    noise(3000, 1),
    noise(40_000, 2),
    safetensors({"w": BASE, "s": SMALL}),
    safetensors({"w": tuned(BASE, 4), "s": SMALL}),
    safetensors({"renamed": tuned(BASE, 5), "s": tuned(SMALL, 6)}),
    safetensors({"w": GROWN}),
    safetensors({"w": BASE, "s": SMALL}, {"format": "pt"}) + b"tail",
]
REPOSITORIES = ["a/one", "b/two", "datasets/a/one"]
REFS = ["main", "refs/tags/v1", "dev/x"]
PATHS = ["m.safetensors", "sub/m.safetensors", "notes.txt", "sub/deep/x.bin"]

repositories = st.sampled_from(REPOSITORIES)
refs = st.sampled_from(REFS)
trees = st.dictionaries(st.sampled_from(PATHS), st.integers(0, len(CONTENTS) - 1), max_size=3)
Tree = dict[str, bytes]


class StoreMachine(RuleBasedStateMachine):
    """Drives a store and its model: repository -> ref -> history of trees, the newest last."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, coding.encode_smallest = coding.encode_smallest, encode_by_mode
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store.create(self.folder / "hub")
        self.model: dict[str, dict[str, list[Tree]]] = {}
        self.counter = 0

    def teardown(self) -> None:
        try:
            assert_sound(self.store)
        finally:
            coding.encode_smallest = self.encode
            self.store.close()
            shutil.rmtree(self.folder)

    def commit(self, repository: str, ref: str, tree: Tree, is_new: bool) -> None:
        """Note in the model what a commit did; an identical tree makes none."""
        history = self.model.setdefault(repository, {}).setdefault(ref, [])
        assert is_new == (not history or history[-1] != tree)
        if is_new:
            history.append(tree)

    def known(self) -> list[tuple[str, str]]:
        return [(name, ref) for name in self.model for ref in self.model[name]]

    @rule(repository=repositories, ref=refs, tree=trees, mode=st.sampled_from(Mode))
    def add_folder(self, repository: str, ref: str, tree: dict[str, int], mode: Mode) -> None:
        self.counter += 1
        content = {path: CONTENTS[index] for path, index in tree.items()}
        folder = write_folder(self.folder / f"in{self.counter}", content)
        result = add_folder(self.store, folder, repository, revision=ref, mode=mode, workers=2)
        self.commit(repository, ref, content, result.is_new_commit)

    @rule(repository=repositories, ref=refs, index=st.integers(0, len(CONTENTS) - 1))
    def add_file(self, repository: str, ref: str, index: int) -> None:
        self.counter += 1
        folder = write_folder(self.folder / f"in{self.counter}", {"notes.txt": CONTENTS[index]})
        result = add_files(self.store, [folder / "notes.txt"], repository, revision=ref, workers=2)
        present = self.model.get(repository, {}).get(ref, [{}])[-1]
        self.commit(repository, ref, present | {"notes.txt": CONTENTS[index]}, result.is_new_commit)

    @precondition(lambda self: self.known())
    @rule(data=st.data(), repository=repositories, ref=refs)
    def copy(self, data: st.DataObject, repository: str, ref: str) -> None:
        origin, revision = data.draw(st.sampled_from(self.known()))
        tree = self.model[origin][revision][-1]
        if not tree:
            return
        path = data.draw(st.sampled_from(sorted(tree)))
        with self.store.begin_commit(repository, revision=ref) as transaction:
            transaction.copy(path, "copied.bin", repository=origin, revision=revision)
            result = transaction.publish()
        present = self.model.get(repository, {}).get(ref, [{}])[-1]
        self.commit(repository, ref, present | {"copied.bin": tree[path]}, result.is_new_commit)
        assert result.added_nbytes == 0

    @precondition(lambda self: self.known())
    @rule(data=st.data())
    def delete_path(self, data: st.DataObject) -> None:
        repository, ref = data.draw(st.sampled_from(self.known()))
        tree = self.model[repository][ref][-1]
        if not tree:
            return
        path = data.draw(st.sampled_from(sorted({*tree, *(item.split("/")[0] for item in tree)})))
        with self.store.begin_commit(repository, revision=ref) as transaction:
            transaction.delete(path)
            result = transaction.publish()
        left = {
            name: content
            for name, content in tree.items()
            if name != path and not name.startswith(path + "/")
        }
        self.commit(repository, ref, left, result.is_new_commit)

    @precondition(lambda self: self.known())
    @rule(data=st.data(), is_dry_run=st.booleans())
    def delete_ref(self, data: st.DataObject, is_dry_run: bool) -> None:
        repository, ref = data.draw(st.sampled_from(self.known()))
        self.store.delete_ref(repository, ref, is_dry_run=is_dry_run)
        if not is_dry_run:
            del self.model[repository][ref]

    @precondition(lambda self: self.known())
    @rule(data=st.data(), is_dry_run=st.booleans())
    def squash(self, data: st.DataObject, is_dry_run: bool) -> None:
        repository, ref = data.draw(st.sampled_from(self.known()))
        result = self.store.squash(repository, ref, is_dry_run=is_dry_run)
        assert len(result.removed) == len(self.model[repository][ref]) - 1
        if not is_dry_run:
            del self.model[repository][ref][:-1]

    @precondition(lambda self: self.model)
    @rule(data=st.data(), is_dry_run=st.booleans())
    def delete_repository(self, data: st.DataObject, is_dry_run: bool) -> None:
        repository = data.draw(st.sampled_from(sorted(self.model)))
        self.store.delete_repository(repository, is_dry_run=is_dry_run)
        if not is_dry_run:
            del self.model[repository]

    @rule(is_dry_run=st.booleans())
    def gc(self, is_dry_run: bool) -> None:
        before = sum(path.stat().st_size for path in self.store.layout.list_packs().values())
        report = collect_garbage(self.store, grace_s=0, is_dry_run=is_dry_run)
        after = sum(path.stat().st_size for path in self.store.layout.list_packs().values())
        assert before - after == (0 if is_dry_run else report.freed_nbytes)

    @rule(mode=st.sampled_from(Mode), is_forced=st.booleans(), is_dry_run=st.booleans())
    def optimize(self, mode: Mode, is_forced: bool, is_dry_run: bool) -> None:
        report = optimize(self.store, mode=mode, is_forced=is_forced, is_dry_run=is_dry_run, workers=2)
        assert report.damaged == ()
        assert is_forced or report.stored_nbytes_after <= report.stored_nbytes_before
        again = optimize(self.store, mode=mode, is_forced=is_forced, is_dry_run=True, workers=2)
        if not is_dry_run:
            assert again.blobs_rewritten == 0
            assert again.stored_nbytes_before == report.stored_nbytes_after

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(self.folder / "hub")

    @rule()
    def rebuild(self) -> None:
        self.store.close()
        assert rebuild_catalog(self.folder / "hub") == ()
        self.store = Store.open(self.folder / "hub")

    @precondition(lambda self: self.known())
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        self.counter += 1
        repository, ref = data.draw(st.sampled_from(self.known()))
        target = self.folder / f"out{self.counter}"
        restore(self.store, repository, target, revision=ref, workers=2)
        found = {
            path.relative_to(target).as_posix(): path.read_bytes()
            for path in target.rglob("*")
            if path.is_file()
        }
        assert found == self.model[repository][ref][-1]

    @invariant()
    def listing_equals_the_model(self) -> None:
        found = {
            ("" if info.repo_type == "model" else f"{info.repo_type}s/") + info.repo_id: {
                ref.name for ref in info.refs
            }
            for info in self.store.repositories()
        }
        prefix = "refs/heads/"
        assert found == {
            name: {ref if ref.startswith("refs/") else prefix + ref for ref in known}
            for name, known in self.model.items()
        }

    @invariant()
    def every_file_reads_back(self) -> None:
        for repository, ref in self.known():
            history = self.model[repository][ref]
            assert len(self.store.commits(repository, ref)) == len(history)
            infos = self.store.files(repository, ref)
            assert {info.path: info.nbytes for info in infos} == {
                path: len(content) for path, content in history[-1].items()
            }
            for path, content in history[-1].items():
                assert self.store.read(repository, path, revision=ref) == content

    @invariant()
    def sums_add_up(self) -> None:
        assert_identity(self.store)
        found = stats(self.store)
        distinct = {
            name: {content for history in known.values() for tree in history for content in tree.values()}
            for name, known in self.model.items()
        }
        assert found.nbytes == sum(len(content) for contents in distinct.values() for content in contents)
        assert found.files == sum(len(contents) for contents in distinct.values())


_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
SHORT = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=_QUIET,
    derandomize=True,
    database=None,
)
LONG = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=_QUIET, database=None
)

TestStore = StoreMachine.TestCase
TestStore.settings = SHORT


class LongStoreMachine(StoreMachine):
    """The same for longer, from other seeds."""


TestStoreForLonger = pytest.mark.slow(pytest.mark.timeout(1800)(LongStoreMachine.TestCase))
TestStoreForLonger.settings = LONG
