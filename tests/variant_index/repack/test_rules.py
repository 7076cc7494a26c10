from __future__ import annotations

import pytest

from variant_index.errors import InputError
from variant_index.repack.load import BUILT_IN, load_rules
from variant_index.repack.rules import Rule, RulesError, parse_rules
from variant_index.torch_index.family import FAMILY, is_backend_free
from variant_index.torch_index.table import CURRENT_BACKENDS, OLDER_BACKENDS


def rule(text: str) -> Rule:
    (only,) = parse_rules(f"[[rule]]\n{text}".encode(), "r.toml").rules
    return only


def test_every_part_that_is_given_has_to_fit() -> None:
    one = rule('name = ["a", "b*"]\nlocal = "cu{cuda}"\nfolder = "x*"\nplatform = "linux_*"\nlabel = "c"')
    assert one.match("bc", "cu126", ["linux_x86_64"], ["q", "x1"]) is not None
    assert one.match("c", "cu126", ["linux_x86_64"], ["x"]) is None
    assert one.match("a", "", ["linux_x86_64"], ["x"]) is None
    assert one.match("a", "cu126", ["linux_x86_64", "win_amd64"], ["x"]) is None
    assert one.match("a", "cu126", ["linux_x86_64"], ["y"]) is None


def test_the_innermost_folder_counts_and_parts_must_agree() -> None:
    one = rule('folder = "cu{cuda}"\nlabel = "cu{cuda}"')
    found = one.match("a", "", ["any"], ["cu130", "cu126"])
    assert found is not None
    assert found["cuda"] == "130"
    both = rule('folder = "cu{cuda}"\nlocal = "cu{cuda}"\nlabel = "cu{cuda}"')
    assert both.match("a", "cu126", ["any"], ["cu126"]) is not None
    assert both.match("a", "cu126", ["any"], ["cu130"]) is None


def test_when_compares_versions() -> None:
    one = rule('local = "torch{torch}"\nwhen.torch = ">=2.7"\nlabel = "x"')
    assert one.match("a", "torch2.10", ["any"], []) is not None
    assert one.match("a", "torch2.6.1", ["any"], []) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", r"r\.toml: has no \[\[rule\]\]"),
        ("[[rule]]", "rule 1: needs a label, default = true or both; or skip"),
        ('[[rule]]\nlabel = "a"\n[[rule]]\nskip = "x"\ndefault = true', "rule 2: needs a label"),
        ('[[rule]]\ndefault = true\nproperties = "a :: b :: c"', "rule 1: has properties but no label"),
        ('[[rule]]\nlabel = "cu{cuda}"', r"rule 1: 'cu\{cuda\}' uses \{cuda\}, which its patterns do not"),
        ('[[rule]]\nlocal = ["cu{cuda}", "cpu"]\nlabel = "cu{cuda}"', "do not always find"),
        ('[[rule]]\nlocal = "{backend}"\nlabel = "{backend.properties}"', "do not always find"),
        ('[[rule]]\nlabel = "a"\nwhen.torch = ">2"', r"when: its patterns find no version \{torch\}"),
        ('[[rule]]\nlocal = "{torch}"\nlabel = "a"\nwhen.torch = "new"', "when.torch: 'new' is not a set of"),
        ('[[rule]]\nlocal = "{x}"\nlabel = "a"', "rule 1: pattern '{x}': there is no field"),
        ('[[rule]]\nlable = "a"', "rule 1: lable: is not a known key"),
        ("[[rule]]\nlabel = 1", "rule 1: label: must be text"),
        ('[variant]\nproviders.x.requires = []\n[[rule]]\nlabel = "a"', r"providers\.x"),
        ("[[rule]", "not TOML"),
        ('[[rule]]\nlabel = "a"\ndependencies.rename = { "x-{cuda}" = "y-{rocm}" }', r"uses \{rocm\}"),
    ],
)
def test_refuses_rules_that_are_wrong(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        parse_rules(text.encode(), "r.toml")
    assert "\n" not in str(caught.value)


def test_says_which_file() -> None:
    with pytest.raises(RulesError, match=r"^r\.toml: "):
        parse_rules(b"", "r.toml")
    with pytest.raises(InputError, match=r"^nothing\.toml: No such file"):
        load_rules(["nothing.toml"])


def test_the_built_in_sets_can_be_read() -> None:
    assert [one.source for one in load_rules()] == list(BUILT_IN)
    assert [one.source for one in load_rules(["jax", "cupy"])] == ["jax", "cupy"]
    assert not any(one.settings.notices() for one in load_rules())


def test_pytorchs_set_knows_what_the_table_knows() -> None:
    (pytorch,) = load_rules(["pytorch"])
    static = pytorch.settings.providers["priority"].static_properties
    assert static is not None

    def group(folder: str) -> int:
        return ["cu", "ro", "xp"].index(folder[:2])

    known = sorted((name for name in (*CURRENT_BACKENDS, *OLDER_BACKENDS) if name != "cpu"), key=group)
    assert list(static["order"]) == known
    named = {pattern.text for rule in pytorch.rules for pattern in rule.name}
    assert {name for name in FAMILY if not is_backend_free(name)} <= named
