"""`verify` finds damage, names it, and leaves with its code."""

from __future__ import annotations

from pathlib import Path


def test_sound(run, store_path: Path) -> None:
    """A sound store says what was looked at."""
    report = run("verify", "--json").json()
    assert report["is_sound"] is True
    assert report["damages"] == []
    assert min(report["packs"], report["blobs"], report["chunks"], report["files"]) > 0
    assert run("verify").stdout.startswith("sound")


def test_a_flipped_bit_is_named(run, store_path: Path) -> None:
    """The report is on stdout, the summary on stderr, the code is that of damage."""
    pack = max(store_path.joinpath("packs").rglob("*.pack"), key=lambda path: path.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)
    outcome = run("verify", "--json")
    assert outcome.code == 13
    report = outcome.json()
    assert report["is_sound"] is False
    assert any(damage["affected"] for damage in report["damages"])
    assert outcome.error()["error"] == "IntegrityError"
    text = run("verify")
    assert "affects local/" in text.stdout
    assert "damaged thing" in text.stderr


def test_rebuild_gives_identical_answers(run, store_path: Path) -> None:
    """The catalogue can be lost: packs, refs and state are the truth."""
    questions = (
        ("ls",),
        ("ls", "local/ft-lora", "--tensors"),
        ("show", "local/base"),
        ("lineage", "local/ft-lora"),
    )
    before = [run(*question, "--json").json() for question in questions]
    (store_path / "catalog.sqlite").write_bytes(b"not a database")
    assert run("verify", "--rebuild-catalog").code == 0
    assert [run(*question, "--json").json() for question in questions] == before
