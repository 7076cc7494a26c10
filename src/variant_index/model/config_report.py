"""What `variant-index config --json` prints."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["ConfigReport", "FileReport", "SettingReport"]


class SettingReport(BaseModel):
    """A setting in effect.

    Attributes:
        key: its name in files.
        variable: its environment variable.
        value: what is in effect, without logins; null for nothing.
        origins: where it was said, what counts first before the others; `default` where nobody did.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    variable: str
    value: str | bool | float | list[str] | None
    origins: list[str]


class FileReport(BaseModel):
    """A file that was found.

    Attributes:
        path: where it is.
        layer: whose it is: named by `VARIANT_INDEX_CONFIG`, the project's, the user's or the site's.
        ignored: why it does not count; null where it does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    layer: Literal["named", "project", "user", "site"]
    ignored: str | None


class ConfigReport(BaseModel):
    """The settings in effect.

    Attributes:
        settings: all of them.
        files: those that were found, what counts first before the others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: list[SettingReport]
    files: list[FileReport]
