from __future__ import annotations

from variant_index.detection.merged import merged, taken_over, without
from variant_index.model.machine import Fact, MachineProfile


def profile(namespace: str, value: str, **more: object) -> MachineProfile:
    return MachineProfile(
        properties={namespace: {"f": [value]}},
        feature_order={namespace: ["f"]},
        facts={namespace: {"fact": Fact(value=value, source="test")}},
        notes=[f"note of {value}"],
        **more,
    )


def test_the_first_that_knows_a_namespace_wins() -> None:
    one = merged(profile("a", "1"), profile("b", "2", unanswered={"c": "hung"}), profile("a", "3"))
    assert one.properties == {"a": {"f": ["1"]}, "b": {"f": ["2"]}}
    assert one.facts["a"]["fact"].value == "1"
    assert one.notes == ["note of 1", "note of 2", "note of 3"]
    assert one.unanswered == {"c": "hung"}
    assert list(one.supported()) == ["a", "b"]


def test_without() -> None:
    both = merged(profile("a", "1", unanswered={"a": "hung"}), profile("b", "2"))
    less = without(both, {"a"})
    assert (less.properties, less.feature_order) == ({"b": {"f": ["2"]}}, {"b": ["f"]})
    assert (less.facts, less.notes, less.unanswered) == (both.facts, both.notes, {})


def test_taken_over() -> None:
    both = merged(profile("a", "1", unanswered={"a": "hung", "c": "hung"}), profile("b", "2"))
    less = taken_over(both, {"a"})
    assert (less.properties, less.feature_order) == ({"b": {"f": ["2"]}}, {"b": ["f"]})
    assert (list(less.facts), less.notes, less.unanswered) == (["b"], both.notes, {"c": "hung"})
