"""Every class that says "your bytes are wrong", "ours are" or "the disk failed" is raised by some hostile test."""

import re
from pathlib import Path

import pytest

from tensorhub import errors

HERE = Path(__file__).parent
BRANCHES = (errors.FormatError, errors.IntegrityError, errors.BackendError, errors.ConflictError)
CLASSES = sorted(
    (
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, BRANCHES) and kind not in BRANCHES
    ),
    key=lambda kind: kind.__name__,
)
# Class -> why no test expects it.
EXEMPT = {
    "StoppedError": "ends the loop of a download, and is caught by it",
}
# Class -> the test of the hub that expects its status.
ANSWERED = {
    "BodyTooLargeError": ("unit/hub/test_app.py", 413),
    "ParentMovedError": ("unit/hub/test_api_commit.py", 412),
    "TargetTooLongError": ("unit/hub/test_app.py", 414),
}
# Class -> the test outside this folder that expects it.
ELSEWHERE = {
    "BackendUnavailableError": "unit/hub/test_upstream_http.py",
    "BodyTimeoutError": "unit/hub/test_limits.py",
    "InvalidRequestError": "unit/hub/test_commit_body.py",
    "LengthRequiredError": "unit/hub/test_receiving.py",
    "MergeConflictError": "unit/hub/test_merging.py",
    "WrongContentError": "cli/test_pull.py",
    "InvalidHeaderError": "unit/formats/test_json_scan.py",
    "InvalidRecordError": "unit/lineage/test_sketch.py",
    "LimitExceededError": "unit/formats/test_safetensors.py",
    "SourceChangedError": "unit/formats/test_source.py",
    "StoreLockedError": "unit/store/test_leases.py",
}


@pytest.mark.parametrize("name", [kind.__name__ for kind in CLASSES])
def test_class_has_a_negative_test(name: str):
    if name in EXEMPT:
        assert name not in ELSEWHERE
        return
    if name in ANSWERED:
        file, status = ANSWERED[name]
        assert getattr(errors, name).http_status == status
        assert f"== {status}" in (HERE.parent / file).read_text(encoding="utf-8")
        return
    expected = re.compile(
        rf"(raises\((errors\.)?{name}\b|raises\(\(?[^)]*\b{name}\b|isinstance\([^)]*\b{name}\b)"
    )
    if name in ELSEWHERE:
        files = [HERE.parent / ELSEWHERE[name]]
    else:
        files = [path for path in HERE.glob("test_*.py") if path != Path(__file__)]
    assert any(expected.search(path.read_text("utf-8")) for path in files), name
