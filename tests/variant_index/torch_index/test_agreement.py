"""The torch that a release belongs to, and the backend that all of a run agree on."""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tests.variant_index.torch_index.test_decide import (
    ADA_13,
    CPU,
    TAGS,
    build,
    decided,
    family,
    labels,
    releases,
    sorted_builds,
)
from variant_index.torch_index.agreement import (
    Companion,
    FamilyBackend,
    Offer,
    common_backend,
    companion,
    following_backend,
)
from variant_index.torch_index.backends import Backend, parse_backend
from variant_index.torch_index.decide import decide
from variant_index.torch_index.release import ReleaseDecision, is_hashed

TORCH = {"2.8.0": ["cpu", "cu126"], "2.9.0": ["cpu", "cu126", "cu128", "cu130"]}
VISION = {"0.23.0": ["cpu", "cu126"], "0.24.0": ["cpu", "cu126"]}


def named(*folders: str) -> list[Backend | None]:
    return [parse_backend(folder) if folder else None for folder in folders]


def offer(*folders: str, tied: bool = True) -> Offer:
    return Offer(frozenset(named(*folders)), tied)


@pytest.mark.parametrize(
    ("ranking", "offers", "expected"),
    [
        (["cu130", "cu128", "cpu"], [], "cu130"),
        (["cu130", "cu128", "cpu"], [offer("cu128", "cpu")], "cu128"),
        (["cu130", "cu128", "cpu"], [offer("cu128"), offer("cu130", "cu128")], "cu128"),
        (["cu130", "cu128", "cpu"], [offer("cu126", "cpu")], "cu128"),  # the same toolkit
        (["cu130", "cu128", "cpu"], [offer("cpu")], "cu130"),  # a GPU is not given up
        (["cu130", "cu128", "cpu"], [offer("")], "cu130"),
        (["cu130", "cu128", "cpu"], [offer()], "cu130"),
        (["cu130", "cu128", "cpu"], [offer("cu128", tied=False)], "cu128"),
        (["cu130", "cu128", "cpu"], [offer("cu128", tied=False), offer("cu130")], "cu130"),
        (["rocm7.1", "cpu"], [offer("cu128")], "rocm7.1"),
        (["cpu"], [offer("cu128")], "cpu"),
    ],
)
def test_torch_is_taken_so_that_its_companions_can_be(
    ranking: list[str], offers: list[Offer], expected: str
) -> None:
    assert common_backend(named(*ranking), offers) == parse_backend(expected)


@pytest.mark.parametrize(
    ("ranking", "offered", "torch", "settled", "expected"),
    [
        (["cu130", "cu128", "cpu"], "", "cu128", False, ("cu128", True)),
        (["cu130", "cu126", "cpu"], "", "cu128", False, ("cu126", True)),
        (["cu130", "cpu"], "", "cu128", False, ("cpu", True)),
        (["cu130"], "", "cu128", False, ("cu130", False)),
        (["cu130"], "", "cpu", False, ("cu130", False)),
        (["cu130", ""], "", "cpu", False, ("", True)),
        (["cpu"], "cu130", "cu130", False, ("cpu", True)),
        (["cpu"], "cu130", "cu130", True, ("cu130", True)),
        ([], "rocm7.1", "rocm7.1", True, ("rocm7.1", True)),
        (["cu130", "cpu"], "", "", False, ("cu130", True)),
    ],
)
def test_the_rest_follows(
    ranking: list[str], offered: str, torch: str, settled: bool, expected: tuple[str, bool]
) -> None:
    offers = [*named(*ranking), *(named(offered) if offered else [])]
    backend, agrees = following_backend(
        named(*ranking), offers, named(torch)[0] if torch else None, settled=settled
    )
    assert ((backend.folder if backend else ""), agrees) == expected


def test_what_a_companion_offers() -> None:
    builds = sorted_builds(
        [
            build("cpu", "0.24.0+cpu", name="torchvision"),
            build("cu126", "0.24.0+cu126", name="torchvision"),
            build("cu130", "0.24.0+cu130", name="torchvision", hashed=False),
            build("cu126", "0.24.2+cu126", name="torchvision"),
            build("cu126", "0.30.0+cu126", name="torchvision"),
        ]
    )
    torch = [Version(one) for one in ("2.8.0", "2.9.0", "2.9.1")]
    found = companion("torchvision", builds, SpecifierSet("<0.30"), is_hashed, torch)
    assert found.offer(Version("2.9.0")) == offer("cpu", "cu126")
    assert found.offer(Version("2.9.1")) == offer("cu126")  # there is no torch 2.9.2
    assert found.offer(Version("2.8.0")).backends == frozenset()
    assert found.offer(Version("2.15.0")) == Offer(frozenset(), is_tied=False)
    loose = companion(
        "torchao", releases({"0.14.0": ["cu126"], "0.13.0": ["cpu"]}), SpecifierSet(), is_hashed, torch
    )
    assert loose.offer(Version("2.9.0")) == offer("cpu", "cu126", tied=False)
    assert Companion({}).offer(Version("2.9.0")).backends == frozenset()


def beside(specifier: str = "") -> Companion:
    return companion(
        "torchvision",
        releases(VISION, "torchvision"),
        SpecifierSet(specifier),
        is_hashed,
        [*map(Version, TORCH)],
    )


def test_each_release_of_torch_looks_at_its_own_companion() -> None:
    found = decide("torch", releases(TORCH), ADA_13.supported(), TAGS, beside=[beside()])
    assert [one.label for one in found] == ["cu126", "cu126"]
    found = decide("torch", releases(TORCH), ADA_13.supported(), TAGS, beside=[beside("<0.24")])
    assert [one.label for one in found] == ["cu130", "cu126"]


def settled(known: FamilyBackend, **versions: str) -> dict[str, ReleaseDecision]:
    """Return torchvision for a torch that there will be: its version and backend."""
    before = decide("torchvision", releases(VISION, "torchvision"), ADA_13.supported(), TAGS, family=known)
    (version, folder), *_ = ((key.replace("v", "").replace("_", "."), one) for key, one in versions.items())
    known = known.settle(Version(version), parse_backend(folder))
    found = decide(
        "torchvision",
        releases(VISION, "torchvision"),
        ADA_13.supported(),
        TAGS,
        family=known,
        before=before,
    )
    return {str(one.version): one for one in found}


def test_the_torch_that_there_will_be_is_followed_even_where_the_machine_could_do_better() -> None:
    known = family(ADA_13, releases(TORCH))
    assert labels(settled(known, v2_9_0="cpu")) == {"0.24.0": "cpu", "0.23.0": "cu126"}
    assert labels(settled(known, v2_8_0="cpu")) == {"0.24.0": "cpu held back", "0.23.0": "cpu"}


def test_what_is_installed_does_not_decide_which_releases_use_the_machine() -> None:
    known = family(ADA_13, releases({"2.9.0": ["cpu", "cu126"], "2.10.0": ["cpu", "cu126"]}))
    vision = releases({"0.24.0": ["cpu", "cu126"], "0.25.0": ["cpu"]}, "torchvision")
    before = decide("torchvision", vision, ADA_13.supported(), TAGS, family=known)
    beside_cpu = known.settle(Version("2.9.0"), parse_backend("cpu"))
    found = decide("torchvision", vision, ADA_13.supported(), TAGS, family=beside_cpu, before=before)
    assert labels({str(one.version): one for one in found}) == {"0.25.0": "cpu held back", "0.24.0": "cpu"}


def test_what_does_not_go_with_torch_is_held_back_and_says_so() -> None:
    only_126 = releases({"0.24.0": ["cu126"]}, "torchvision")
    found = decided(only_126, ADA_13, name="torchvision", family=family(ADA_13, releases(TORCH)))
    assert labels(found) == {"0.24.0": "cu126 held back"}
    assert found["0.24.0"].held_back == "torchvision 0.24.0 has no build that goes with torch 2.9.0 (cu130)"
    # The newest release is no reason against it, nor for holding another one back.
    both = releases({"0.24.0": ["cu126"], "0.23.0": ["cpu"]}, "torchvision")
    assert labels(decided(both, ADA_13, name="torchvision", family=family(ADA_13, releases(TORCH)))) == {
        "0.24.0": "cu126 held back",
        "0.23.0": "cpu",
    }


def test_a_release_is_held_back_with_its_torch() -> None:
    torch = releases({"2.9.0": ["cpu", "cu126"], "2.10.0": ["cpu"]})
    audio = releases({"2.9.0": ["cpu"], "2.10.0": ["cpu"]}, "torchaudio")
    found = decided(audio, ADA_13, name="torchaudio", family=family(ADA_13, torch))
    assert labels(found) == {"2.10.0": "cpu held back", "2.9.0": "cpu"}
    assert found["2.10.0"].held_back is not None
    assert found["2.10.0"].held_back.startswith(
        "torchaudio 2.10.0 is held back as its torch is: torch 2.10.0 has no build for this machine's GPU"
    )
    assert labels(decided(audio, CPU, name="torchaudio", family=family(CPU, torch))) == {
        "2.10.0": "cpu",
        "2.9.0": "cpu",
    }


def test_releases_for_a_torch_that_there_is_not_hold_nothing_back() -> None:
    torch = releases({"2.9.0": ["cpu"]})
    audio = releases({"2.8.0": ["cpu", "cu126"], "2.9.0": ["cpu"]}, "torchaudio")
    found = decided(audio, ADA_13, name="torchaudio", family=family(ADA_13, torch))
    assert labels(found) == {"2.9.0": "cpu", "2.8.0": "cu126"}


def test_releases_from_before_torch_2_follow_theirs() -> None:
    torch = releases({"1.13.1": ["cpu", "cu117"], "2.9.0": ["cpu", "cu126"]})
    known = family(ADA_13, torch)
    vision = releases({"0.14.1": ["cpu", "cu116", "cu117"]}, "torchvision")
    audio = releases({"0.13.1": ["cpu", "cu117"]}, "torchaudio")
    assert labels(decided(vision, ADA_13, name="torchvision", family=known)) == {"0.14.1": "cu117"}
    assert labels(decided(audio, ADA_13, name="torchaudio", family=known)) == {"0.13.1": "cu117"}
