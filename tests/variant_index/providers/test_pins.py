from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from variant_index.providers.failure import ProviderError
from variant_index.providers.pins import Pin, parse_pin, parse_pins, pins_text

HEX = "a" * 64
HASH = f"--hash=sha256:{HEX}"


def test_a_pin() -> None:
    assert parse_pin(f"Acme_Provider == 1.2 {HASH}") == Pin("acme-provider", "1.2", (f"sha256:{HEX}",))
    both = parse_pin(f"acme==1.2; python_version < '3' --hash=sha512:{'B' * 128} {HASH}")
    assert both.hashes == (f"sha256:{HEX}", f"sha512:{'b' * 128}")
    assert not both.applies
    assert parse_pin(f"acme==1.2 {HASH}").applies


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("acme==1.2", "by the hash"),
        (f"acme {HASH}", "one exact version"),
        (f"acme>=1.2 {HASH}", "one exact version"),
        (f"acme==1.* {HASH}", "one exact version"),
        (f"acme===1.2 {HASH}", "one exact version"),
        (f"acme==1.2,!=1.3 {HASH}", "one exact version"),
        (f"acme @ https://example.test/acme-1.2-py3-none-any.whl {HASH}", "neither address"),
        (f"acme[gpu]==1.2 {HASH}", "neither address nor extras"),
        ("acme==1.2 --hash=md5:0123", "no hash"),
        (f"acme==1.2 --hash=sha256:{HEX}0", "no hash"),
        ("acme==1.2 --hash=sha256:", "no hash"),
        (f"acme==1.2 --index-url=https://example.test {HASH}", "only --hash"),
        (f"--index-url https://example.test {HASH}", "only --hash"),
        (f"-e . {HASH}", "only --hash"),
        (f"./acme-1.2.whl {HASH}", "not a requirement"),
        ("", "not a requirement"),
        (f"acme==1.2; os_name ~= 'x' {HASH}", "compares what cannot be compared"),
    ],
)
def test_what_is_not_exact_is_refused(text: str, rule: str) -> None:
    with pytest.raises(ProviderError, match=rule):
        parse_pin(text)


def test_a_file() -> None:
    text = f"# made by a tool\nacme==1.2 \\\n    {HASH} \\\n    {HASH}\n\n  # via x\nb==2 {HASH} # why\n"
    assert [str(pin) for pin in parse_pins(text, "f.txt")] == ["acme==1.2", "b==2"]
    with pytest.raises(ProviderError, match=r"f\.txt, line 3: .* by the hash"):
        parse_pins(f"acme==1.2 {HASH}\n\nb==2", "f.txt")
    with pytest.raises(ProviderError, match="holds 0 requirements"):
        parse_pins("# nothing\n", "f.txt")
    with pytest.raises(ProviderError, match="only --hash"):
        parse_pins(f"--find-links https://example.test\nacme==1.2 {HASH}", "f.txt")


_NAMES = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8})?", fullmatch=True)
_PINS = st.builds(
    Pin,
    _NAMES,
    st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}", fullmatch=True),
    st.lists(st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True), min_size=1, max_size=3, unique=True).map(
        lambda found: tuple(sorted(found))
    ),
    st.sampled_from(["", 'python_version < "3.11"']),
)


@settings(max_examples=30)
@given(st.lists(_PINS, min_size=1, max_size=5))
def test_what_pip_gets_reads_back_the_same_in_any_order(pins: list[Pin]) -> None:
    assert parse_pins(pins_text(pins), "x") == tuple(sorted(pins))
    assert pins_text(pins) == pins_text(pins[::-1])


@given(st.text(max_size=200))
def test_any_text_is_a_pin_or_one_line(text: str) -> None:
    with suppress(ProviderError):
        parse_pins(text, "f")
