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
    "BackendUnavailableError": "for backends on a network, which this version has not",
}
# Class -> the test outside this folder that expects it.
ELSEWHERE = {
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
    expected = re.compile(
        rf"(raises\((errors\.)?{name}\b|raises\(\(?[^)]*\b{name}\b|isinstance\([^)]*\b{name}\b)"
    )
    if name in ELSEWHERE:
        files = [HERE.parent / ELSEWHERE[name]]
    else:
        files = [path for path in HERE.glob("test_*.py") if path != Path(__file__)]
    assert any(expected.search(path.read_text("utf-8")) for path in files), name
