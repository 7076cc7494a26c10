"""Logins that the user keeps in a keyring, asked for as pip's `--keyring-provider` does it.

The keyring runs in a process of its own: backends load desktop libraries, print, and may wait for the user.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from variant_index.errors import InputError, printable
from variant_index.upstream.login import Login

__all__ = ["Keyring", "KeyringError", "KeyringProvider", "parse_keyring_provider"]

KeyringProvider = Literal["auto", "import", "subprocess", "disabled"]

_SECONDS: Final = 60
_NO_MODULE: Final = 77
# The address and name come on standard input, so that no list of processes shows them.
_PROGRAM: Final = f"""\
import json, sys
try:
    import keyring
except ImportError:
    sys.exit({_NO_MODULE})
service, user = json.load(sys.stdin)
if hasattr(keyring, "get_credential"):
    found = keyring.get_credential(service, user)
    answer = found and [found.username, found.password]
else:
    password = user and keyring.get_password(service, user)
    answer = password and [user, password]
json.dump(answer, sys.stdout)
"""


class KeyringError(InputError):
    """A keyring provider is not one of pip's."""


def parse_keyring_provider(text: str) -> KeyringProvider:
    """Return the provider that a setting names.

    Raises:
        KeyringError: it is not one of pip's.
    """
    for provider in get_args(KeyringProvider):
        if text.strip().lower() == provider:
            return provider  # type: ignore[no-any-return]  # get_args forgets the type
    names = ", ".join(get_args(KeyringProvider))
    raise KeyringError(f"keyring provider {printable(text)!r}: it can be {names}")


@dataclass(frozen=True)
class Keyring:
    """A way to ask the user's keyring.

    Attributes:
        provider: `import` asks the `keyring` package of `python`, `subprocess` the `keyring` program on
            `PATH`, `auto` the first of them that is there.
        python: the interpreter whose package is meant.
    """

    provider: KeyringProvider = "auto"
    python: str = sys.executable

    def find(self, service: str, user: str | None) -> Login | None:
        """Return the login kept for a service; None when there is none or the keyring fails.

        Args:
            service: the index's URL without a login, or its host.
            user: the name when it is known.
        """
        if self.provider in ("auto", "import"):
            code, text = _run([self.python, "-c", _PROGRAM], json.dumps([service, user]))
            if code != _NO_MODULE or self.provider == "import":
                return _parse_pair(text) if code == 0 else None
        if self.provider in ("auto", "subprocess"):
            program = shutil.which("keyring")
            if program is not None:
                return _ask_program(program, service, user)
        return None


def _ask_program(program: str, service: str, user: str | None) -> Login | None:
    if user is not None:
        # Understood by every version; only without a name is the newer way needed (keyring 25.2).
        code, text = _run([program, "get", service, user])
        password = text.rstrip("\r\n")
        return Login(user, password) if code == 0 and password else None
    code, text = _run([program, "--mode=creds", "--output=json", "get", service])
    return _parse_pair(text) if code == 0 else None


def _parse_pair(text: str) -> Login | None:
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    if isinstance(answer, Mapping):
        answer = [answer.get("username"), answer.get("password")]
    match answer:
        case [str(user), str(password)]:
            return Login(user, password)
    return None


def _run(command: list[str], text: str = "") -> tuple[int, str]:
    try:
        done = subprocess.run(
            command,
            input=text,
            stdout=subprocess.PIPE,  # standard error stays: a backend tells there where to log in
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return -1, ""
    return done.returncode, done.stdout
