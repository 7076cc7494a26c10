"""Whom the user trusts to build which projects: a TOML file as checked values; pure.

What an index or a provenance object says about the publisher decides nothing: only this does.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from variant_index.errors import InputError, printable
from variant_index.model.settings import parse_toml
from variant_index.model.validation import first_rule

__all__ = ["GITHUB_ISSUER", "PolicyError", "Publisher", "parse_policy", "trusted_for"]

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
"""Who vouches for the identity of a GitHub workflow."""

_Text = Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=500)]


class PolicyError(InputError):
    """A policy file breaks a rule."""


class Publisher(BaseModel):
    """Somebody who may build some projects: a repository, or an exact identity.

    Attributes:
        projects: normal project names; `*` stands for anything.
        issuer: who vouches for the identity.
        repository: the address of the source repository, `https://github.com/OWNER/NAME`.
        workflow: the workflow's file name, `release.yml`; None for any workflow of the repository.
        identity: the exact identity in the certificate, for publishers without repository.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    projects: Annotated[list[_Text], Field(min_length=1)]
    issuer: _Text = GITHUB_ISSUER
    repository: Annotated[str, StringConstraints(pattern=r"^https://[!-~]+[!-.0-~]$")] | None = None
    workflow: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$")] | None = None
    identity: _Text | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Publisher:
        if (self.repository is None) == (self.identity is None):
            raise ValueError("needs a repository or an identity, and not both")
        if self.workflow is not None and self.repository is None:
            raise ValueError("workflow goes with repository")
        return self

    def __str__(self) -> str:
        if self.identity is not None:
            return self.identity
        return (
            f"{self.repository}/.github/workflows/{self.workflow}" if self.workflow else str(self.repository)
        )


class _Policy(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    publisher: Annotated[list[Publisher], Field(min_length=1)]


def parse_policy(data: bytes, source: str) -> tuple[Publisher, ...]:
    """Read a policy: `[[publisher]]` tables.

    Raises:
        PolicyError: one line that names `source` and what is wrong.
        SettingsError: it is not TOML.
    """
    try:
        return tuple(_Policy.model_validate(parse_toml(data, source)).publisher)
    except ValidationError as error:
        raise PolicyError(f"{printable(source)}: {first_rule(error)}") from None


def trusted_for(name: str, policy: Iterable[Publisher]) -> tuple[Publisher, ...]:
    """Return who may build a project, by its normal name."""
    return tuple(
        publisher for publisher in policy if any(fnmatchcase(name, pattern) for pattern in publisher.projects)
    )
