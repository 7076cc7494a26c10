from __future__ import annotations

import gc
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.errors import UpstreamError
from variant_index.upstream.recent import Recent, SharedAnswers


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8)), max_size=50))
def test_no_more_than_the_limit_is_kept(puts: list[tuple[int, int]]) -> None:
    recent: Recent[int] = Recent(10)
    for key, size in puts:
        recent.put(key, size, size)
        kept = [value for key in range(6) if (value := recent.get(key)) is not None]
        assert sum(kept) <= 10
        assert recent.get(key) == (size if size <= 5 else None)


def test_the_least_recently_used_goes_first() -> None:
    recent: Recent[str] = Recent(10)
    for key in ("a", "b", "c"):
        recent.put(key, key, 3)
    assert recent.get("a") == "a"
    recent.put("d", "d", 3)
    assert [recent.get(key) for key in "abcd"] == ["a", None, "c", "d"]


def test_everyone_gets_an_answer_that_was_asked_for_after_he_came() -> None:
    shared: SharedAnswers[int] = SharedAnswers()
    asked = 0
    now = 0

    def ask() -> int:
        nonlocal asked
        asked += 1
        seen = now
        time.sleep(0.1)  # long enough for others to come
        return seen

    def call(_: int) -> tuple[int, int]:
        nonlocal now
        now += 1
        came = now
        return came, shared.get("key", ask)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(call, range(64)))
    assert all(seen >= came for came, seen in answers)
    assert asked < 64  # they share; about 8 are asked


def test_different_questions_do_not_wait_for_each_other() -> None:
    shared: SharedAnswers[str] = SharedAnswers()
    meet = threading.Barrier(2, timeout=60)

    def ask() -> str:
        meet.wait()
        return "met"

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda key: shared.get(key, ask), "ab")) == ["met", "met"]


def test_an_error_is_that_of_all_and_keeps_nothing() -> None:
    class Large(list[int]):
        pass

    shared: SharedAnswers[str] = SharedAnswers()
    held: list[weakref.ref[Large]] = []

    def ask() -> str:
        large = Large([1])
        held.append(weakref.ref(large))
        time.sleep(0.05)
        raise UpstreamError("down")

    def call(_: int) -> str:
        try:
            return shared.get("key", ask)
        except UpstreamError as error:
            return str(error)

    gc.disable()
    try:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(call, range(8))) == ["down"] * 8
        assert [one() for one in held] == [None] * len(held)
    finally:
        gc.enable()
    with pytest.raises(UpstreamError, match="down"):
        shared.get("key", ask)
    assert shared.get("key", lambda: "up") == "up"
