"""The machine profile: which properties a machine supports, and the facts they were derived from."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from variant_index.errors import InputError, printable
from variant_index.model.properties import Properties
from variant_index.model.validation import first_rule

__all__ = ["Fact", "MachineProfile", "ProfileError", "parse_profile"]

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
_Value = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.]+$")]
_Values = Annotated[list[_Value], Field(min_length=1, json_schema_extra={"uniqueItems": True})]


class ProfileError(InputError):
    """A machine profile breaks a rule."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(_Strict):
    """One thing found out about the machine.

    Attributes:
        value: what was found; versions are `M.m`, compute capabilities `9.0`, architectures `gfx942`.
        source: where it came from, for example `NVML` or an environment variable's name.
    """

    value: str | list[str]
    source: str


class MachineProfile(_Strict):
    """Everything selection needs to know of a machine; what `variant-index machine --json` prints.

    Attributes:
        properties: namespace -> feature -> supported values, best first.
        feature_order: namespace -> its features, most important first.
        facts: namespace -> fact name -> fact, for explanations only; selection never reads them.
        notes: what could not be found out and why, one line each.
        unanswered: namespace -> why a driver that is evidently there did not say what it supports; what
            the profile lists for that namespace is what is known all the same.
    """

    properties: dict[_Name, dict[_Name, _Values]]
    feature_order: dict[_Name, list[_Name]]
    facts: dict[str, dict[str, Fact]] = {}
    notes: list[str] = []
    unanswered: dict[_Name, str] = {}

    @model_validator(mode="after")
    def _same_features(self) -> MachineProfile:
        for namespace, features in self.properties.items():
            if sorted(self.feature_order.get(namespace, [])) != sorted(features):
                raise ValueError(
                    f"feature_order.{namespace} must name each feature of properties.{namespace} once"
                )
            for feature, values in features.items():
                if len(set(values)) != len(values):
                    raise ValueError(f"properties.{namespace}.{feature}: values are listed twice")
        return self

    def supported(self) -> Properties:
        """Return the supported properties with each namespace's features in their order."""
        return {
            namespace: {feature: features[feature] for feature in self.feature_order[namespace]}
            for namespace, features in self.properties.items()
        }


def parse_profile(data: bytes, source: str) -> MachineProfile:
    """Read a machine profile from JSON text.

    Raises:
        ProfileError: one line that names `source` and the first rule broken.
    """
    try:
        return MachineProfile.model_validate_json(data)
    except ValidationError as error:
        raise ProfileError(
            f"{printable(source)}: not a machine profile: {first_rule(error, MachineProfile)}"
        ) from None
