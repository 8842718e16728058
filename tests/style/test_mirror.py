"""Every module has a test file at the same path, or one that is named here."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "tensorhub"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")

# Module -> the test file that covers it, where that is not the mirror of its path.
COVERED_ELSEWHERE: dict[str, str] = {
    "__main__.py": "tests/cli/test_process.py",
    "codecs/base.py": "tests/conformance/test_codecs.py",
    "codecs/reference.py": "tests/property/test_planes_reference.py",
    "errors.py": "tests/style/test_errors.py",
    "schema/facts.py": "tests/hostile/test_records_fuzz.py",
    "hub/xet/staging.py": "tests/unit/hub/test_uploads.py",
    "hub/xet/xorb_files.py": "tests/unit/hub/test_uploads.py",
    "hub/xet/xorb_map.py": "tests/unit/hub/test_uploads.py",
    "store/salvage.py": "tests/hostile/test_repair.py",
    "store/values.py": "tests/docs/test_cli_page.py",
    "testing/codec_suite.py": "tests/conformance/test_codecs.py",
    "testing/format_suite.py": "tests/conformance/test_formats.py",
    "testing/weights.py": "tests/conformance/test_codecs.py",
    "cli/add_report.py": "tests/cli/test_add.py",
    "hub/arriving.py": "tests/unit/hub/test_mirror.py",
    "hub/download.py": "tests/unit/hub/test_fetching.py",
    "hub/fetch_plan.py": "tests/unit/hub/test_fetching.py",
    "hub/pulling.py": "tests/cli/test_pull.py",
    "hub/mirror_metrics.py": "tests/unit/hub/test_mirror.py",
    "store/kept_commits.py": "tests/unit/store/test_import_cache.py",
    "hub/exchange.py": "tests/unit/hub/test_request_log.py",
    "hub/pages/change_routes.py": "tests/hub/test_pages.py",
    "hub/pages/repository_routes.py": "tests/hub/test_pages.py",
    "hub/pages/routes.py": "tests/hub/test_pages.py",
    "hub/pages/session_routes.py": "tests/hub/test_pages.py",
    "hub/pages/site.py": "tests/hub/test_pages.py",
    "hub/pages/store_routes.py": "tests/hub/test_pages.py",
    "hub/values.py": "tests/docs/test_cli_page.py",
    "hub/hub.py": "tests/unit/hub/test_app.py",
    "hub/serve.py": "tests/unit/hub/test_app.py",
    "hub/commit_operations.py": "tests/unit/hub/test_commit_body.py",
    "hub/commits.py": "tests/unit/hub/test_api_commit.py",
    "hub/initial_files.py": "tests/unit/hub/test_api_repositories.py",
    "hub/discussion_events.py": "tests/unit/hub/test_pull_requests.py",
    "hub/api_lfs_bytes.py": "tests/unit/hub/test_api_lfs.py",
    "hub/lfs_links.py": "tests/unit/hub/test_api_lfs.py",
    "hub/json_fields.py": "tests/unit/hub/test_api_repositories.py",
    "hub/known_content.py": "tests/unit/hub/test_api_commit.py",
    "hub/writing.py": "tests/unit/hub/test_api_repositories.py",
    "lineage/match.py": "tests/unit/lineage/test_index.py",
    "schema/blob_record.py": "tests/unit/schema/test_records.py",
    "schema/chunk_record.py": "tests/unit/schema/test_records.py",
    "store/catalog_file.py": "tests/unit/store/test_catalog.py",
    "store/catalog_schema.py": "tests/unit/store/test_catalog_index.py",
    "hub/api_read.py": "tests/unit/hub/test_api_side_calls.py",
    "store/commit_facts.py": "tests/unit/store/test_transaction.py",
    "store/digesting.py": "tests/unit/store/test_ingest.py",
    "store/listing.py": "tests/unit/store/test_store.py",
    "store/pending_file.py": "tests/unit/store/test_transaction.py",
    "store/pack_table.py": "tests/unit/store/test_pack.py",
    "store/rebuild.py": "tests/property/test_rebuild.py",
    "store/row_checksum.py": "tests/hostile/test_flipped_bits.py",
    "store/sqlite_failures.py": "tests/unit/store/test_state.py",
    "store/state_copy.py": "tests/unit/store/test_state.py",
    "store/state_file.py": "tests/hostile/test_state_damage.py",
    "store/state_schema.py": "tests/unit/store/test_state.py",
    "store/tree_rules.py": "tests/unit/store/test_transaction.py",
}
# Module -> why no test file is about it.
EXEMPT: dict[str, str] = {
    "store/progress.py": "a protocol and an empty listener; every long operation's test passes one",
}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_module_has_a_test(module: Path) -> None:
    """tests/unit mirrors src/tensorhub; the command line is tested in tests/cli."""
    name = module.relative_to(PACKAGE).as_posix()
    if name in EXEMPT:
        return
    if name in COVERED_ELSEWHERE:
        expected = ROOT / COVERED_ELSEWHERE[name]
    else:
        folder = module.relative_to(PACKAGE).parent
        home = ROOT / "tests" / (folder if folder.parts[:1] == ("cli",) else Path("unit", folder))
        expected = home / f"test_{module.stem.lstrip('_')}.py"
    assert expected.is_file(), f"{name} has no {expected.relative_to(ROOT)}"


def test_lists_name_existing_modules() -> None:
    """No entry of the lists outlives its module."""
    for name in (*COVERED_ELSEWHERE, *EXEMPT):
        assert (PACKAGE / name).is_file(), name
