"""`token` shows a secret once, lists without it, revokes."""

from __future__ import annotations

from tensorhub.cli.token import print_tokens
from tensorhub.hub.values import TokenInfo


def test_create(run, store_path) -> None:
    """The secret stands alone on stdout; what is to be known stands on stderr, unless quiet."""
    run("user", "add", "ada")
    made = run("token", "create", "ada")
    assert made.stdout.startswith("hf_")
    assert made.stdout.count("\n") == 1
    assert "only now" in made.stderr
    assert made.stdout.strip() not in made.stderr
    quiet = run("token", "create", "ada", "-q")
    assert quiet.stderr == ""
    options = ("--name", "ci", "--scope", "write", "--namespace", "Team", "--expires", "1.5")
    token = run("token", "create", "ada", *options, "--json").json()["token"]
    assert (token["name"], token["scope"], token["namespaces"]) == ("ci", "write", ["team"])
    assert token["expires_at_ms"] - token["created_at_ms"] == 1.5 * 24 * 3600 * 1000
    assert run("token", "create", "nobody").code == 10
    assert run("token", "create", "ada", "--expires", "0").code == 2
    assert run("token", "create", "ada", "--scope", "admin").code == 2


def test_list_and_revoke(run, store_path) -> None:
    """No secret is listed; a revoked token is."""
    assert "no tokens" in run("token", "list").stdout
    run("user", "add", "ada")
    made = run("token", "create", "ada", "--json").json()
    listed = run("token", "list", "ADA")
    assert made["token"]["token_id"] in listed.stdout
    assert made["secret"] not in listed.stdout + run("token", "list", "--json").stdout
    assert "revoked" in run("token", "revoke", made["token"]["token_id"]).stdout
    assert run("token", "list", "--json").json()[0]["revoked_at_ms"] is not None
    assert run("token", "revoke", "nothing").code == 10
    assert run("token", "list", "nobody").code == 10


def test_ends(capfd) -> None:
    """How and when a token ends is told."""
    base = TokenInfo("1", "ada", "", "read", None, 0, None, 5, None)
    expired = TokenInfo("2", "ada", "", "read", [], 0, 1000, None, None)
    later = TokenInfo("3", "ada", "", "read", ["a", "b"], 0, 86_400_000, None, None)
    print_tokens([base, expired, later], now_ms=1000)
    lines = capfd.readouterr().out.splitlines()
    assert "never" in lines[1]
    assert "expired" in lines[2]
    assert "1970-01-02" in lines[3]
    assert "a, b" in lines[3]
