"""The errors a user sees: one line that names the input, the rule and the remedy, and an exit code.

Each seam defines its own subclass beside its interface; the command line turns any of them into
`error: MESSAGE` on stderr and the exit code.
"""

from __future__ import annotations

__all__ = ["InputError", "NoAnswerError", "UpstreamError", "VariantIndexError", "located", "printable"]


class VariantIndexError(Exception):
    """Base of every expected failure.

    Attributes:
        exit_code: the status the process ends with (1 the answer is "no", 2 usage or bad input,
            3 upstream or network failure).
    """

    exit_code = 2


class NoAnswerError(VariantIndexError):
    """The question was understood and the answer is "no": nothing compatible, a check failed."""

    exit_code = 1


class InputError(VariantIndexError):
    """The input breaks a rule: a bad wheel, document, option or settings file.

    Attributes:
        rule: the rule's code in `variant_index.model.rules`; None for options and settings.
    """

    exit_code = 2
    rule: str | None = None


class UpstreamError(VariantIndexError):
    """An index could not be read: it is down, answers 5xx, or sends something that is not a page."""

    exit_code = 3


def located(message: str, path: str) -> str:
    """Return a message that begins with the name of the file at `path`, beginning with the path instead.

    Files in several folders may have one name. Any other message stays as it is.
    """
    name = printable(path.replace("\\", "/").rpartition("/")[2])
    return f"{printable(path, 4096)}{message[len(name) :]}" if message.startswith(f"{name}: ") else message


def printable(text: str, limit: int = 200) -> str:
    """Return `text` fit for one terminal line: control characters escaped, cut after `limit` characters.

    Everything that comes from a wheel or an index goes through here before it is printed.
    """
    shown = text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
