"""The options that pip knows in requirements files (pip 22.0 to 26.3), read by the parser that pip uses."""

from __future__ import annotations

import optparse
from collections.abc import Sequence
from typing import Final, NoReturn

__all__ = ["parse_words"]

_VALUED: Final = (
    *(("-i", "--index-url", "--pypi-url"), ("--extra-index-url",), ("-f", "--find-links")),
    *(("-r", "--requirement"), ("-c", "--constraint"), ("-e", "--editable"), ("--trusted-host",)),
    *(("--no-binary",), ("--only-binary",), ("--all-releases",), ("--only-final",), ("--use-feature",)),
    *(("--hash",), ("-C", "--config-settings", "--config-setting"), ("--global-option",)),
    ("--install-option",),
)
_FLAGS: Final = ("--no-index", "--pre", "--prefer-binary", "--require-hashes", "--no-require-hashes")
_ALIASES: Final = {"pypi-url": "index-url"}


def parse_words(words: Sequence[str]) -> list[tuple[str, str]]:
    """Return the options of a line in order: long name without dashes, and value (`""` for a flag).

    Raises:
        ValueError: pip would refuse the line, or it has an option of a newer pip.
    """
    parser = _Parser()
    parser.parse_args(list(words))
    return parser.found


class _Parser(optparse.OptionParser):
    def __init__(self) -> None:
        super().__init__(add_help_option=False)
        self.found: list[tuple[str, str]] = []
        for names in _VALUED:
            self.add_option(*names, action="callback", type="string", callback=self._remember)
        for name in _FLAGS:
            self.add_option(name, action="callback", callback=self._remember)

    def error(self, msg: str) -> NoReturn:
        raise ValueError(msg)

    def _remember(
        self, option: optparse.Option, _given: str, value: str | None, _parser: optparse.OptionParser
    ) -> None:
        name = option.get_opt_string().removeprefix("--")
        self.found.append((_ALIASES.get(name, name), value or ""))
