"""Reads a release's variants document as an installer may: whatever generation it is of."""

from __future__ import annotations

from variant_index.model.document import DocumentError, VariantsDocument, parse_document

__all__ = ["read_document"]


def read_document(data: bytes, source: str) -> VariantsDocument:
    """Read a variants document of any generation; see `parse_document` and `convert`.

    One of an older generation that says nothing the newer form cannot say is read as it is. What
    the newer form cannot say is dropped, variants that nobody can judge included.

    Raises:
        DocumentError: one line that names `source` and the first rule broken.
    """
    try:
        return parse_document(data, source)
    except DocumentError:
        # Imported here: what is published from now on never needs it.
        from variant_index.generations.convert import read_old

        document = read_old(data, source)
        if document is None:
            raise
    return document
