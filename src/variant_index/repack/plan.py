"""Which wheel becomes which, by the rules: decided for all before anything is written; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.version import InvalidVersion, Version

from variant_index.errors import InputError, printable
from variant_index.model.document import write_document
from variant_index.model.filename import FilenameError, WheelFilename, canonical_name, escaped_name
from variant_index.model.properties import Property, collect_properties, each_property
from variant_index.model.settings import VariantSettings
from variant_index.repack.metadata import Edits, edit_metadata
from variant_index.repack.patterns import BACKEND_PROPERTIES, Fields, fill_in
from variant_index.repack.rules import Rule, RuleSet
from variant_index.torch_index.backends import parse_backend
from variant_index.torch_index.family import torch_release
from variant_index.wheel.headers import change_headers
from variant_index.wheel.relabel import variant_label

__all__ = ["LeftOut", "Plan", "PlanError", "Planned", "Refused", "SourceWheel", "Target", "plan_repack"]

_FORMAT = 1  # counted up when equal plans no longer give equal bytes


class PlanError(InputError):
    """A rule makes something of a wheel that cannot be."""


@dataclass(frozen=True)
class SourceWheel:
    """A wheel to repack.

    Attributes:
        path: where it is, as messages call it.
        folders: the names of the folders it lies in, the innermost first.
        filename: its name, taken apart.
        metadata: the bytes of its METADATA.
        size: its size in bytes.
        digest: SHA-256 of its RECORD and its zip directory: equal for equal content.
        dist_info: its metadata folder.
        wheel_file: the bytes of its WHEEL when the tags there are not those of the file name.
        wrong_tags: whether such a wheel is refused unless they are set, because they contradict the name.
    """

    path: str
    folders: tuple[str, ...]
    filename: WheelFilename
    metadata: bytes
    size: int
    digest: str
    dist_info: str
    wheel_file: bytes | None = None
    wrong_tags: bool = False


@dataclass(frozen=True)
class Target:
    """A wheel to write.

    Attributes:
        filename: its name.
        properties: those of the variant; none for a plain wheel.
        document: its `variant.json`, None for a plain wheel.
        written: its METADATA and, where the tags change, its WHEEL: file name -> content.
        changes: each changed requirement and tag, to show.
        digest: equal for equal decisions.
    """

    filename: WheelFilename
    properties: tuple[Property, ...]
    document: bytes | None
    written: Mapping[str, bytes]
    changes: tuple[str, ...]
    digest: str

    @property
    def name(self) -> str:
        """The file name."""
        return self.filename.filename


@dataclass(frozen=True)
class Planned:
    """What becomes of one source.

    Attributes:
        source: the wheel.
        rules: the rule set that decided.
        rule: the number of the rule in it.
        targets: the wheels to write.
    """

    source: SourceWheel
    rules: str
    rule: int
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class LeftOut:
    """A source that a rule passes over, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Refused:
    """A source that nothing can be made of, and why; one printable line that names it."""

    path: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What becomes of all sources, each list in their order."""

    planned: tuple[Planned, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    refused: tuple[Refused, ...] = ()


def plan_repack(sources: Iterable[SourceWheel], rule_sets: Sequence[RuleSet]) -> Plan:
    """Decide what becomes of each wheel; one that cannot be decided does not stop the others.

    The first rule that fits decides, in the order of the sets and of the rules in them. A source is refused
    when no rule fits, when another one becomes the same file, and when a label of one release would stand
    for different properties.
    """
    planned: list[Planned] = []
    left_out: list[LeftOut] = []
    refused: list[Refused] = []
    for source in sources:
        try:
            decided = _decide(source, rule_sets)
        except InputError as error:
            refused.append(Refused(source.path, f"{printable(source.path)}: {error}"))
            continue
        if isinstance(decided, LeftOut):
            left_out.append(decided)
        else:
            planned.append(decided)
    planned, twins = _without_twins(planned)
    problems = {**_same_file(planned), **_same_label(planned)}
    return Plan(
        tuple(one for one in planned if one.source.path not in problems),
        (*left_out, *twins),
        (*refused, *(Refused(path, f"{printable(path)}: {reason}") for path, reason in problems.items())),
    )


def _decide(source: SourceWheel, rule_sets: Iterable[RuleSet]) -> Planned | LeftOut:
    filename = source.filename
    if filename.label:
        raise PlanError(f"has the label {filename.label} already; repack the original wheel")
    local = filename.version.partition("+")[2].lower().replace("-", ".").replace("_", ".")
    platforms = filename.platform.split(".")
    for rule_set in rule_sets:
        for rule in rule_set.rules:
            fields = rule.match(filename.name, local, platforms, source.folders)
            if fields is None:
                continue
            if rule.skip is not None:
                return LeftOut(source.path, rule.skip)
            try:
                targets = _targets(source, rule, fields, rule_set.settings, local)
            except InputError as error:
                raise PlanError(f"{error} (rule {rule.number} of {printable(rule_set.source)})") from None
            return Planned(source, rule_set.source, rule.number, targets)
    raise PlanError("no rule fits; add one, or one that skips it with the reason")


def _targets(
    source: SourceWheel, rule: Rule, fields: Fields, settings: VariantSettings, local: str
) -> tuple[Target, ...]:
    old = source.filename
    name = None if rule.project is None else fill_in(rule.project, fields)
    version = _version(old.version, rule.keep_local, fields)
    try:
        # Also refuses a project or version that no file can be called by.
        wanted = WheelFilename.parse(
            replace(
                old,
                distribution=old.distribution if name is None else escaped_name(name),
                version=version,
            ).filename
        )
    except FilenameError as error:
        raise PlanError(str(error)) from None
    renamed = name if name is not None and canonical_name(name) != old.name else None
    properties: tuple[Property, ...] = ()
    labels = []
    if rule.label is not None:
        properties = _properties(source, rule, fields, settings)
        labels.append(variant_label(properties, fill_in(rule.label, fields)))
    if rule.default:
        labels.append("")
    tags = _retagged(source, rule)
    targets = []
    for label in labels:
        own = properties if label else ()
        document = write_document(settings.document(label, own)) if label else None
        edits = Edits(
            name=renamed,
            version=version if version != old.version else None,
            old_local=None if rule.keep_local is True else local,
            dependencies=rule.dependencies,
            fields=fields,
            label=label,
            properties=collect_properties(own),
        )
        metadata, changes = edit_metadata(source.metadata, edits)
        filename = wanted.labelled(label)
        written = {"METADATA": metadata}
        if tags is not None:
            written["WHEEL"] = tags
            changes = (*changes, f"Tag: {' '.join(_tags(filename))}")
        digest = _digest(filename.filename, document or b"", *written.values())
        targets.append(Target(filename, own, document, written, changes, digest))
    return tuple(targets)


def _retagged(source: SourceWheel, rule: Rule) -> bytes | None:
    """Return WHEEL with the tags of the file name, None when it has them."""
    if source.wheel_file is None:
        return None
    if not rule.retag:
        if not source.wrong_tags:
            return None
        raise PlanError(
            "the tags in its WHEEL file are not those of the file name; retag = true in the rule sets them"
        )
    tags = _tags(source.filename)
    return change_headers(
        source.wheel_file, lambda header, _: [] if header == "tag" else None, [("Tag", tag) for tag in tags]
    )


def _tags(filename: WheelFilename) -> list[str]:
    return [
        f"{python}-{abi}-{platform}"
        for python in filename.python.split(".")
        for abi in filename.abi.split(".")
        for platform in filename.platform.split(".")
    ]


def _version(version: str, keep_local: bool | str, fields: Fields) -> str:
    if keep_local is True:
        return version
    public = version.partition("+")[0]
    wanted = f"{public}+{fill_in(keep_local, fields)}" if keep_local else public
    try:
        Version(wanted)
    except InvalidVersion:
        raise PlanError(f"'{printable(wanted)}' is not a version (PEP 440)") from None
    return wanted


def _properties(
    source: SourceWheel, rule: Rule, fields: Fields, settings: VariantSettings
) -> tuple[Property, ...]:
    properties: set[Property] = set()
    for text in rule.properties:
        if text == BACKEND_PROPERTIES:
            properties.update(_backend_properties(source.filename, fields["backend"]))
        else:
            properties.add(Property.parse(fill_in(text, fields)))
    for item in sorted(properties):
        provider = settings.providers.get(item.namespace)
        static = None if provider is None else provider.static_properties
        if static is not None and item.value not in static.get(item.feature, ()):
            raise PlanError(
                f"{item.value} is not among the values that [variant.providers.{item.namespace}] lists for "
                f"{item.feature}, so that no machine would choose it; add it there"
            )
    return tuple(sorted(properties))


def _backend_properties(filename: WheelFilename, folder: str) -> Iterable[Property]:
    backend = parse_backend(folder)
    assert backend is not None, "the pattern has read it"
    torch = None
    try:
        release = torch_release(filename.name, Version(filename.version))
        torch = None if release is None else (release.major, release.minor)
    except InvalidVersion:
        pass  # not a release of torch's family, then
    aarch64 = filename.platform.endswith("aarch64")
    return each_property(backend.properties(torch, aarch64=aarch64))


def _digest(name: str, *parts: bytes) -> str:
    digest = hashlib.sha256(f"{_FORMAT}\n{name}\n".encode())
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _without_twins(planned: Iterable[Planned]) -> tuple[list[Planned], list[LeftOut]]:
    """Keep one of several equal wheels that become the same: PyTorch lists some in every folder."""
    kept: dict[tuple[str, ...], Planned] = {}
    left_out = []
    for one in planned:
        key = (one.source.digest, *(f"{target.name} {target.digest}" for target in one.targets))
        first = kept.setdefault(key, one)
        if first is not one:
            left_out.append(LeftOut(one.source.path, f"is the same wheel as {printable(first.source.path)}"))
    return list(kept.values()), left_out


def _same_file(planned: Iterable[Planned]) -> Mapping[str, str]:
    by_name: dict[str, list[str]] = {}
    for one in planned:
        for target in one.targets:
            by_name.setdefault(target.name, []).append(one.source.path)
    return {
        path: f"{printable(_other(path, paths))} would become {printable(name)} too; give them other labels"
        for name, paths in by_name.items()
        if len(paths) > 1
        for path in paths
    }


def _other(path: str, paths: Iterable[str]) -> str:
    return next(other for other in paths if other != path)


def _same_label(planned: Iterable[Planned]) -> Mapping[str, str]:
    by_label: dict[tuple[str, str, str], dict[tuple[Property, ...], list[str]]] = {}
    for one in planned:
        for target in one.targets:
            filename = target.filename
            if filename.label:
                key = filename.name, filename.version, filename.label
                by_label.setdefault(key, {}).setdefault(target.properties, []).append(one.source.path)
    return {
        path: f"label {label} of {printable(name)} {printable(version)} would have other properties in "
        f"{printable(_other(path, [paths[0] for paths in groups.values()]))}; give one of them another label"
        for (name, version, label), groups in by_label.items()
        if len(groups) > 1
        for paths in groups.values()
        for path in paths
    }
