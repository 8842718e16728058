"""Memos keep what fits."""

from tensorhub.hub.memo import Memo


def test_keeps_and_forgets() -> None:
    """What was used least recently leaves first; something heavier than the limit stays alone."""
    memo: Memo[str, str] = Memo(10)
    made: list[str] = []

    def get(key: str, weight: int = 4) -> str:
        def compute() -> tuple[str, int]:
            made.append(key)
            return key.upper(), weight

        return memo.get(key, compute)

    assert [get("a"), get("b"), get("a")] == ["A", "B", "A"]
    assert made == ["a", "b"]
    get("c")  # 12: b leaves
    get("a")
    assert made == ["a", "b", "c"]
    get("b")
    assert made == ["a", "b", "c", "b"]
    get("big", 100)
    get("big", 100)
    assert made[-1] == "big"
    assert made.count("big") == 1
