"""A variant wheel's own `variant.json`, which may be of any generation: read it, replace it."""

from __future__ import annotations

from pathlib import Path

from variant_index.errors import printable
from variant_index.model.filename import WheelFilename
from variant_index.wheel.archive import Archive, WheelError
from variant_index.wheel.read import read_contents, read_contents_and_record, read_variant_json
from variant_index.wheel.relabel import Original, parse_name, rewrite_wheel

__all__ = ["read_own_document", "replace_own_document"]


def read_own_document(source: Path) -> tuple[WheelFilename, bytes]:
    """Return a variant wheel's name and the bytes of its `variant.json`, which may be of any generation.

    Raises:
        WheelError: the wheel is bad, or has no label or no such file.
    """
    filename = parse_name(source)
    if not filename.label:
        raise WheelError(f"{printable(source.name)}: has no label, so it is no variant")
    with Archive(source) as archive:
        archive.check_framing()
        contents = read_contents(archive, filename, any_document=True)
        return filename, read_variant_json(archive, contents.dist_info)


def replace_own_document(
    source: Path, label: str, document: bytes, out: Path, *, force: bool = False
) -> Path:
    """Write a variant wheel with another `variant.json`, under the name with `label`; return the new file.

    Raises:
        WheelError: the wheel is bad, or the target exists with other bytes.
    """
    filename = parse_name(source)
    with Archive(source) as archive:
        archive.check_framing()
        contents, record = read_contents_and_record(archive, filename, any_document=True)
        wanted = filename.labelled(label)
        original = Original(filename, contents.dist_info, record)
        return rewrite_wheel(archive, original, wanted, out, document=document, force=force)
