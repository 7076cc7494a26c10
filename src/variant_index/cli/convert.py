"""`variant-index convert`: rewrite variants documents of one published form as another."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from variant_index.cli.json_report import json_text
from variant_index.cli.messages import say
from variant_index.errors import InputError, printable

if TYPE_CHECKING:
    from variant_index.generations.convert import Generation
    from variant_index.model.convert_report import ConvertedDocument
    from variant_index.model.document import Provider
    from variant_index.model.filename import WheelFilename

__all__ = ["command"]


@click.command(
    "convert",
    epilog="""\b
Examples:
  variant-index convert torch-2.10.0-variants.json > new.json
  variant-index convert old/*-variants.json --out new --relax-requires
  variant-index convert torch-2.10.0-variants.json --to 825 --out plain
  variant-index convert old/*.whl --out new --relax-requires
  variant-index convert site/files/*/*/*-variants.json --check
""",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(["0.2.0", "825", "0.0.3", "0.0.2"]),
    default="0.2.0",
    show_default=True,
    help="The form wanted: with providers, which uv and variantlib read (0.2.0); plain PEP 825 v0.1.1 "
    "(825); PEP 817's schemas (0.0.3, 0.0.2).",
)
@click.option(
    "-o",
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where the new documents go, under their old names [default: one document, to stdout].",
)
@click.option(
    "--relax-requires",
    is_flag=True,
    help="Write the requirement on nvidia-variant-provider that lets uv use its built-in provider.",
)
@click.option(
    "--settings",
    "settings_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A TOML file with a [variant] table: providers of namespaces that a document has none for "
    "[default: nvidia and amd with their usual providers].",
)
@click.option("--check", is_flag=True, help="Write nothing; end with 1 when a document would change.")
@click.option("--force", is_flag=True, help="Replace existing files that have other content.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON report; needs --out or --check.")
def command(
    *,
    files: tuple[Path, ...],
    to: str,
    out: Path | None,
    relax_requires: bool,
    settings_file: Path | None,
    check: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Rewrite variants documents (*-variants.json, variant.json, or those in wheels) of any published form.

    The order of variants stays the same. What the new form has no place for is named on stderr, key by
    key. A bad document does not stop the others. Of a wheel, its variant.json and RECORD change and nothing
    else; installers compare it with the release's document, so convert the wheels of a release together.
    """
    from variant_index.model.convert_report import ConvertReport

    if out is None and not check and (as_json or len(files) > 1 or _is_wheel(files[0])):
        what = "--json needs" if as_json else "several files need" if len(files) > 1 else "a wheel needs"
        raise click.UsageError(f"{what} --out DIR or --check")
    if out is not None and not check:
        _refuse_twins(files)
    providers = _providers(settings_file)
    documents = []
    for file in files:
        generation = cast("Generation", to)
        documents.append(
            _convert(
                file,
                generation,
                None if check else out,
                providers,
                relax=relax_requires,
                show=not (check or out),
                force=force,
            )
        )
    if as_json:
        click.echo(json_text(ConvertReport(target=to, documents=documents)))
    return _present(documents, check=check, quiet=as_json)


def _providers(settings_file: Path | None) -> Mapping[str, Provider]:
    from variant_index.model.settings import DEFAULT_PROVIDERS, load_settings

    if settings_file is None:
        return DEFAULT_PROVIDERS
    return {**DEFAULT_PROVIDERS, **load_settings(settings_file).providers}


def _refuse_twins(files: Iterable[Path]) -> None:
    for name, times in Counter(file.name for file in files).items():
        if times > 1:
            raise InputError(f"{printable(name)} is given {times} times; convert them into different folders")


def _convert(
    file: Path,
    to: Generation,
    out: Path | None,
    providers: Mapping[str, Provider],
    *,
    relax: bool,
    show: bool,
    force: bool,
) -> ConvertedDocument:
    """Convert one file; print it, or write it when there is a folder for it."""
    from variant_index.generations.convert import convert
    from variant_index.model.convert_report import ConvertedDocument, ConvertNotice
    from variant_index.wheel.own_document import replace_own_document

    try:
        filename, data = _read(file)
        converted = convert(data, str(file), to, providers=providers, relax_requires=relax)
        target = None if out is None else out / file.name
        if filename is not None:
            label = _own_label(file, filename, data, converted.data)
            if out is not None:
                target = replace_own_document(file, label, converted.data, out, force=force)
        elif target is not None:
            _write(converted.data, target, force=force)
    except InputError as error:
        return ConvertedDocument(source=str(file), error=str(error))
    except OSError as error:
        place = error.filename or file
        return ConvertedDocument(source=str(file), error=f"{printable(str(place))}: {error.strerror}")
    if show:
        click.echo(converted.data, nl=False)
    return ConvertedDocument(
        source=str(file),
        generation=converted.generation,
        path=None if target is None else str(target),
        changed=converted.data != data,
        notices=[ConvertNotice(path=notice.path, message=notice.message) for notice in converted.notices],
    )


def _is_wheel(file: Path) -> bool:
    return file.suffix == ".whl" and not file.is_dir()


def _own_label(file: Path, filename: WheelFilename, before: bytes, after: bytes) -> str:
    """Return the label of a wheel's converted document: the first drafts said 00000000 for null."""
    labels = [list(json.loads(data)["variants"]) for data in (before, after)]
    if labels[0] != [filename.label] or len(labels[1]) != 1:
        raise InputError(
            f"{printable(str(file))}: its variant.json must describe the label {filename.label} of the file "
            "name and nothing else"
        )
    return str(labels[1][0])


def _read(file: Path) -> tuple[WheelFilename | None, bytes]:
    """Return the document of a file; of a wheel, its name too."""
    from variant_index.model.document import MAX_DOCUMENT_BYTES
    from variant_index.wheel.own_document import read_own_document

    if _is_wheel(file):
        return read_own_document(file)
    with file.open("rb") as stream:
        data = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise InputError(f"{printable(str(file))}: larger than {MAX_DOCUMENT_BYTES} bytes")
    return None, data


def _write(data: bytes, target: Path, *, force: bool) -> None:
    """Put the document in place whole; a reader sees the old file or the new one."""
    with contextlib.suppress(FileNotFoundError):
        if target.read_bytes() == data:
            return
        if not force:
            raise InputError(f"{printable(str(target))} exists with other content; --force replaces it")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".part-{secrets.token_hex(8)}")
    try:
        with part.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _present(documents: Iterable[ConvertedDocument], *, check: bool, quiet: bool) -> int:
    """Print a line for each document and notice, and return the exit status."""
    failed = changed = 0
    for document in documents:
        source = printable(document.source, 4096)
        for notice in document.notices:
            say("notice", f"{source}: {notice.path}: {notice.message}")
        if document.error is not None:
            say("error", document.error)
            failed += 1
        elif check and document.changed:
            changed += 1
            if not quiet:
                click.echo(f"{source}: is {document.generation}, would change")
        elif document.path is not None and not quiet:
            click.echo(printable(document.path, 4096))
    if failed:
        return InputError.exit_code
    return 1 if changed else 0
