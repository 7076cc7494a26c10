from __future__ import annotations

import pytest

from variant_index.providers.failure import ProviderError
from variant_index.providers.request import Found, TrustRequest, answered_namespaces, parse_request

HASH = f"--hash=sha256:{'a' * 64}"
PIN = f"acme==1.2 {HASH}"
ACME = Found("acme", "acme", "acme_plugin:Plugin")


def _request(text: str) -> TrustRequest:
    return parse_request(text, lambda file: f"{PIN}\ndependency==2 {HASH}\n" if file == "my file.txt" else "")


def test_the_forms() -> None:
    assert [str(pin) for pin in _request(PIN).pins] == ["acme==1.2"]
    with_file = _request("-r my file.txt --namespace=a --namespace=b=m:P")
    assert [str(pin) for pin in with_file.pins] == ["acme==1.2", "dependency==2"]
    assert with_file.namespaces == (("a", None), ("b", "m:P"))


@pytest.mark.parametrize(
    "text",
    [
        "acme==1.2",
        "-r",
        "-r empty.txt",
        f"{PIN} --namespace=",
        f"{PIN} --namespace=Acme",
        f"{PIN} --namespace=abi_dependency",
        f"{PIN} --namespace=a=os;system",
        f"{PIN} --namespace=a --namespace=a=m:P",
        f"{PIN} --namespace=a=m:P --namespace=b=m:P",
        f"{PIN} --no-deps",
    ],
)
def test_what_breaks_a_rule(text: str) -> None:
    with pytest.raises(ProviderError) as error:
        _request(text)
    assert str(error.value).isprintable()


def test_the_provider_says_what_it_answers_for() -> None:
    other = Found("unpinned", "other", "o:P")
    assert answered_namespaces(_request(PIN), (ACME, other)) == ("acme", {"acme": "acme_plugin:Plugin"})


@pytest.mark.parametrize("namespace", ["nvidia", "amd", "intel", "tpu", "x86_64", "aarch64"])
def test_what_we_know_ourselves_is_taken_over_only_by_name(namespace: str) -> None:
    found = (Found("acme", namespace, "p:P"),)
    with pytest.raises(ProviderError, match=f"add --namespace={namespace}"):
        answered_namespaces(_request(PIN), found)
    said = _request(f"{PIN} --namespace={namespace}")
    assert answered_namespaces(said, found) == ("acme", {namespace: "p:P"})


@pytest.mark.parametrize("namespace", ["abi_dependency", "Acme-provider", "a" * 101, ""])
def test_a_name_that_is_no_namespace(namespace: str) -> None:
    found = (Found("acme", namespace, "p:P"),)
    with pytest.raises(ProviderError, match="no namespace"):
        answered_namespaces(_request(PIN), found)
    assert answered_namespaces(_request(f"{PIN} --namespace=acme"), found)[1] == {"acme": "p:P"}


def test_only_what_was_asked_for_is_answered() -> None:
    found = (ACME, Found("acme", "more", "m:P"))
    assert answered_namespaces(_request(f"{PIN} --namespace=more"), found)[1] == {"more": "m:P"}
    assert answered_namespaces(_request(f"{PIN} --namespace=x=y:Z"), ()) == ("acme", {"x": "y:Z"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PIN, ()),
        (PIN, (Found("unpinned", "acme", "p:P"),)),
        ("-r my file.txt", (ACME, Found("dependency", "more", "m:P"))),
        (f"{PIN} --namespace=x", (ACME, Found("acme", "more", "m:P"))),
        (PIN, (Found("acme", "a", "p:P"), Found("acme", "b", "p:P"))),
        (PIN, (Found("acme", "a", "p q;r"),)),
    ],
)
def test_what_cannot_be_told_is_asked_for(text: str, found: tuple[Found, ...]) -> None:
    with pytest.raises(ProviderError):
        answered_namespaces(_request(text), found)
