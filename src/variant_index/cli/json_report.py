"""Reports as JSON, also where a path is not Unicode."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

__all__ = ["json_text"]

_SURROGATE = re.compile("[\ud800-\udfff]")


def json_text(report: BaseModel | Mapping[str, object]) -> str:
    """Return a report, a model or what `dataclasses.asdict` made of one, as indented JSON.

    Bytes of a path that are not UTF-8, which Python keeps as lone surrogates and no JSON can hold, appear
    escaped as in messages, see `variant_index.errors.printable`.
    """
    content = report.model_dump(mode="json") if hasattr(report, "model_dump") else report
    text = json.dumps(content, indent=2, ensure_ascii=False)
    return _SURROGATE.sub(lambda found: "\\" + ascii(found[0])[1:-1], text)
