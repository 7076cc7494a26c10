"""The rules that turn per-backend builds into variants: a TOML file as checked values; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from variant_index.errors import InputError, printable
from variant_index.model.settings import VariantSettings, parse_toml
from variant_index.model.validation import first_rule
from variant_index.repack.patterns import (
    BACKEND_PROPERTIES,
    Fields,
    Pattern,
    PatternError,
    fields_of,
    first_match,
    parse_pattern,
)

__all__ = ["Dependencies", "Rule", "RuleSet", "RulesError", "parse_rules"]


class RulesError(InputError):
    """A rules file breaks a rule."""


@dataclass(frozen=True)
class Dependencies:
    """What changes in a wheel's Requires-Dist.

    Attributes:
        drop: names of requirements that go.
        rename: name -> the name that takes its place.
        add: requirements that come.
    """

    drop: tuple[Pattern, ...] = ()
    rename: tuple[tuple[Pattern, str], ...] = ()
    add: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """One rule: which builds it is about, and what becomes of them.

    Texts may hold `{field}`, filled in with what the patterns found.

    Attributes:
        number: its place in the file, from 1.
        name: normal project names (PEP 503).
        local: local versions, `""` for none; empty to take any.
        folder: names of a folder that the wheel lies in; empty to take any.
        platform: platform tags, all of which must fit; empty to take any.
        when: versions that fields must have.
        project: the new project name, None to keep it.
        keep_local: the new local version: a text, True for the one it has, False for none.
        label: the variant's label, None for no variant.
        properties: the variant's properties.
        default: whether the build becomes the plain wheel, for installers without variant support.
        dependencies: what changes in its requirements.
        retag: whether WHEEL gets the tags of the file name where they differ.
        skip: why nothing is made of the build, None when something is.
    """

    number: int
    name: tuple[Pattern, ...]
    local: tuple[Pattern, ...]
    folder: tuple[Pattern, ...]
    platform: tuple[Pattern, ...]
    when: Mapping[str, SpecifierSet]
    project: str | None
    keep_local: bool | str
    label: str | None
    properties: tuple[str, ...]
    default: bool
    dependencies: Dependencies
    retag: bool
    skip: str | None

    def match(self, name: str, local: str, platforms: Iterable[str], folders: Iterable[str]) -> Fields | None:
        """Return what the patterns find in a build, None when the rule is not about it.

        Args:
            name: the normal project name.
            local: the local version, `""` for none.
            platforms: its platform tags.
            folders: the names of the folders it lies in, the innermost first.
        """
        found: list[Fields | None] = [first_match(self.name, name)]
        if self.local:
            found.append(first_match(self.local, local))
        if self.folder:
            found.append(
                next(
                    (one for folder in folders if (one := first_match(self.folder, folder)) is not None), None
                )
            )
        if self.platform:
            found += [first_match(self.platform, platform) for platform in platforms]
        fields: dict[str, str] = {}
        for one in found:
            if one is None or any(fields.get(key, value) != value for key, value in one.items()):
                return None
            fields.update(one)
        for field, versions in self.when.items():
            if not versions.contains(Version(fields[f"{field}.version"]), prereleases=True):
                return None
        return fields


@dataclass(frozen=True)
class RuleSet:
    """The rules of one file; the first that fits a build decides.

    Attributes:
        source: the file or the name of a built-in set.
        rules: in the order of the file.
        settings: order of namespaces and providers, written into every variant.
    """

    source: str
    rules: tuple[Rule, ...]
    settings: VariantSettings


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_Texts = Annotated[list[str], BeforeValidator(_as_list)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Dependencies(_Table):
    drop: _Texts = []
    rename: dict[str, str] = {}
    add: _Texts = []


class _Rule(_Table):
    name: _Texts | None = None
    local: _Texts = []
    folder: _Texts = []
    platform: _Texts = []
    when: dict[str, str] = {}
    project: str | None = None
    keep_local: bool | str = Field(default=False, alias="keep-local")
    label: str | None = None
    properties: _Texts = []
    default: bool = False
    dependencies: _Dependencies = _Dependencies()
    retag: bool | None = None
    skip: str | None = None


class _File(_Table):
    name: _Texts = ["*"]
    retag: bool = False
    variant: dict[str, Any] | None = None
    rule: list[dict[str, Any]] = []


def parse_rules(data: bytes, source: str) -> RuleSet:
    """Read a rules file.

    Raises:
        RulesError: one line that names `source`, the rule and what is wrong.
        SettingsError: it is not TOML.
    """
    shown = printable(source)
    content = parse_toml(data, source)
    try:
        file = _File.model_validate(content)
        settings = VariantSettings.model_validate(file.variant or {})
    except ValidationError as error:
        raise RulesError(f"{shown}: {first_rule(error)}") from None
    if not file.rule:
        raise RulesError(f"{shown}: has no [[rule]]")
    rules = []
    number = 0
    try:
        for number, table in enumerate(file.rule, 1):
            rules.append(_rule(number, _Rule.model_validate(table), file))
    except ValidationError as error:
        raise RulesError(f"{shown}: rule {number}: {first_rule(error)}") from None
    except (PatternError, RulesError) as error:
        raise RulesError(f"{shown}: rule {number}: {error}") from None
    return RuleSet(source, tuple(rules), settings)


def _rule(number: int, table: _Rule, file: _File) -> Rule:
    if (table.skip is None) == (table.label is None and not table.default):
        raise RulesError("needs a label, default = true or both; or skip with the reason, and neither")
    if table.properties and table.label is None:
        raise RulesError("has properties but no label for the variant that has them")
    name, local, folder, platform = (
        _patterns(texts)
        for texts in (
            file.name if table.name is None else table.name,
            table.local,
            table.folder,
            table.platform,
        )
    )
    known = frozenset[str]().union(*(_found_by_all(group) for group in (name, local, folder, platform)))
    rename = tuple((parse_pattern(old), new) for old, new in table.dependencies.rename.items())
    for text in [table.project, table.keep_local, table.label, *table.dependencies.add]:
        if isinstance(text, str):
            _require(known - {"backend.properties"}, text)
    for text in table.properties:
        _require(known if text == BACKEND_PROPERTIES else known - {"backend.properties"}, text)
    for pattern, new in rename:
        _require(known | pattern.fields, new)
    return Rule(
        number=number,
        name=name,
        local=local,
        folder=folder,
        platform=platform,
        when={field: _versions(known, field, text) for field, text in table.when.items()},
        project=table.project,
        keep_local=table.keep_local,
        label=table.label,
        properties=tuple(table.properties),
        default=table.default,
        dependencies=Dependencies(_patterns(table.dependencies.drop), rename, tuple(table.dependencies.add)),
        retag=file.retag if table.retag is None else table.retag,
        skip=table.skip,
    )


def _patterns(texts: Iterable[str]) -> tuple[Pattern, ...]:
    return tuple(map(parse_pattern, texts))


def _found_by_all(patterns: Iterable[Pattern]) -> frozenset[str]:
    groups = [pattern.fields for pattern in patterns]
    return groups[0].intersection(*groups) if groups else frozenset()


def _require(known: frozenset[str], text: str) -> None:
    if missing := fields_of(text) - known:
        raise RulesError(
            f"'{printable(text)}' uses {{{printable(min(missing))}}}, which its patterns do not always find"
        )


def _versions(known: frozenset[str], field: str, text: str) -> SpecifierSet:
    if f"{field}.version" not in known:
        raise RulesError(f"when: its patterns find no version {{{printable(field)}}}")
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        raise RulesError(
            f"when.{field}: '{printable(text)}' is not a set of versions such as '>=2.7'"
        ) from None
