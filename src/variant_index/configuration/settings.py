"""The table of all settings; options, variables, files and their documentation derive from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["SETTINGS", "Kind", "Setting", "Value", "by_key"]

Kind = Literal["text", "place", "path", "choice", "flag", "seconds", "list", "places", "routes"]
"""What a value is.

`place` is a URL or the path of a file or folder, `path` that of a file, `list` and `places` are several,
`routes` are `PATTERN=PLACE`. Relative paths in a file are relative to its folder.
"""

Value = str | bool | float | tuple[str, ...]
"""A value: `str` for text, place, path and choice, `bool`, `float` for seconds, else a tuple."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        key: its name in files, `torch-index`; the option is `--torch-index`.
        kind: what its value is.
        meaning: one sentence.
        commands: which commands it matters to.
        metavar: what stands for the value in help texts.
        default: the value when nobody says anything, None for none.
        default_text: what that amounts to, for people; empty where `default` says it.
        choices: the words allowed for a `choice`.
        short: the option's short form, `-i`.
        long: the option where it is not `--KEY`.
        shared_variable: the environment variable where it is another tool's as well.
        adds: whether what is said in several places counts together, in order of precedence.
        changes_sources: whether it decides where packages come from or what is trusted; a project's file
            that says it is named on each run.
        not_in_projects: whether a project's file must not say it.
    """

    key: str
    kind: Kind
    meaning: str
    commands: str = "all"
    metavar: str = ""
    default: Value | None = None
    default_text: str = ""
    choices: tuple[str, ...] = ()
    short: str = ""
    long: str = ""
    shared_variable: str = ""
    adds: bool = False
    changes_sources: bool = False
    not_in_projects: bool = False

    @property
    def variable(self) -> str:
        """The environment variable."""
        return self.shared_variable or "VARIANT_INDEX_" + self.key.upper().replace("-", "_")

    @property
    def option(self) -> str:
        """The command-line option."""
        return self.long or f"--{self.key}"

    @property
    def is_several(self) -> bool:
        """Whether a value has items, so that the option may be repeated."""
        return self.kind in ("list", "places", "routes")

    @property
    def parameter(self) -> str:
        """The option's value among a command's arguments."""
        return self.key.replace("-", "_")


_SOURCES: Final = "shim, explain"
_INSTALLING: Final = "variant-pip, run, shim, explain"
_CHOOSING: Final = "variant-pip, run, shim, explain, machine"

SETTINGS: Final = (
    Setting(
        "machine",
        "place",
        "Choose for another machine: a file that `variant-index machine --save` wrote, or a name such as cpu,"
        " cuda12.8-sm90 or rocm6.4-gfx942.",
        _CHOOSING,
        "FILE|NAME",
        default_text="this machine",
    ),
    Setting(
        "detection-timeout",
        "seconds",
        "How long this machine's GPU drivers may take to answer.",
        _CHOOSING,
        "SECONDS",
        20.0,
    ),
    Setting(
        "on-detection-failure",
        "choice",
        "When the GPUs cannot be examined: give up, or take builds without GPU.",
        _CHOOSING,
        default_text="error where a GPU driver is present",
        choices=("error", "cpu"),
    ),
    Setting(
        "providers",
        "choice",
        "Whether third-party providers that you trust are asked what this machine supports.",
        _CHOOSING,
        default="on",
        choices=("on", "off"),
    ),
    Setting(
        "provider-timeout",
        "seconds",
        "How long each of them may take to answer.",
        _CHOOSING,
        "SECONDS",
        10.0,
    ),
    Setting(
        "prefer",
        "choice",
        "The newest release that uses the hardware, or the newest release.",
        _INSTALLING,
        default="hardware",
        choices=("hardware", "version"),
    ),
    Setting(
        "torch-index",
        "place",
        "PyTorch's index or a mirror, for torch and its family; `off` asks the other indexes for them.",
        _INSTALLING,
        "URL|off",
        default_text="https://download.pytorch.org/whl; off where an index is named on the command line",
        changes_sources=True,
    ),
    Setting(
        "torch-backends",
        "list",
        "The backends of PyTorch's index that may be used, such as `cu126,cpu`.",
        _INSTALLING,
        "NAME,...",
        default=(),
        default_text="all",
    ),
    Setting(
        "allow-unhashed",
        "flag",
        "Take files that an index elsewhere lists without a hash, so that nothing checks their bytes;"
        " variants never.",
        _INSTALLING,
        default=False,
        changes_sources=True,
        not_in_projects=True,
    ),
    Setting(
        "abi-dependency",
        "text",
        "The versions of torch or other packages that builds must go with, before those that are installed or"
        " asked for, such as `torch==2.9.0+cu128`; variantlib reads the same variable.",
        _INSTALLING,
        "NAME==VERSION,...",
        default_text="those installed or asked for",
        shared_variable="VARIANT_ABI_DEPENDENCY",
    ),
    Setting(
        "route",
        "routes",
        "Take the projects whose name matches (`torch*`) from this index and nowhere else; the first that"
        " matches decides.",
        _INSTALLING,
        "PATTERN=URL",
        default=(),
        adds=True,
        changes_sources=True,
    ),
    Setting(
        "merge",
        "list",
        "Take files of these projects from all indexes together, as pip does, instead of the first index that"
        " has the project.",
        _INSTALLING,
        "PATTERN,...",
        default=(),
        long="--merge-indexes",
        adds=True,
        changes_sources=True,
    ),
    Setting(
        "index-url",
        "place",
        "The first index to ask; variant-pip and run ask those of the installer.",
        _SOURCES,
        "URL",
        default="https://pypi.org/simple/",
        short="-i",
        changes_sources=True,
    ),
    Setting(
        "extra-index-url",
        "places",
        "An index to ask when those before it do not have the project.",
        _SOURCES,
        "URL",
        default=(),
        changes_sources=True,
    ),
    Setting(
        "find-links",
        "places",
        "A folder or page of links to files, besides the indexes.",
        _SOURCES,
        "PATH|URL",
        default=(),
        short="-f",
        changes_sources=True,
    ),
    Setting(
        "no-index",
        "flag",
        "Ask no index; only find-links locations and routes count.",
        _SOURCES,
        default=False,
        changes_sources=True,
    ),
    Setting(
        "timeout",
        "seconds",
        "How long to wait for an index.",
        _SOURCES,
        "SECONDS",
        15.0,
    ),
    Setting(
        "proxy",
        "text",
        "A proxy for every request.",
        _SOURCES,
        "URL",
        default_text="those of HTTPS_PROXY and its relatives",
        changes_sources=True,
        not_in_projects=True,
    ),
    Setting(
        "cert",
        "path",
        "Trusted certificates, as PEM.",
        _SOURCES,
        "PATH",
        default_text="those of REQUESTS_CA_BUNDLE, else the system's",
        changes_sources=True,
        not_in_projects=True,
    ),
    Setting(
        "client-cert",
        "path",
        "Our own certificate with its key, as PEM.",
        _SOURCES,
        "PATH",
        not_in_projects=True,
    ),
    Setting(
        "trusted-host",
        "list",
        "A host that may use plain http or an unknown certificate.",
        _SOURCES,
        "HOST[:PORT]",
        default=(),
        changes_sources=True,
        not_in_projects=True,
    ),
    Setting(
        "keyring-provider",
        "choice",
        "How to ask the keyring for a login when an index answers 401; as pip's option, which variant-pip"
        " takes instead.",
        _SOURCES,
        default="auto",
        choices=("auto", "import", "subprocess", "disabled"),
        not_in_projects=True,
    ),
    Setting(
        "keep-address",
        "flag",
        "Give the installer the same address in every run, so that uv's and Poetry's caches stay warm. Its"
        " secret is kept in a file that only you can read; without this it changes with every run.",
        "run",
        default=False,
    ),
    Setting(
        "listen",
        "text",
        "Serve others for long: answer at this address, under the secret of the token file.",
        "shim",
        "HOST:PORT",
        default_text="a free port of 127.0.0.1 and a new secret",
        not_in_projects=True,
    ),
    Setting(
        "token-file",
        "path",
        "The file with the secret part of a listening shim's address; made when it is missing.",
        "shim",
        "FILE",
        default_text="`shim-token` in the user's state folder",
        not_in_projects=True,
    ),
    Setting(
        "allow-host",
        "list",
        "A name under which clients may ask a listening shim (their `Host` header); required when it does"
        " not listen on loopback.",
        "shim",
        "HOST[:PORT]",
        default=(),
        not_in_projects=True,
    ),
    Setting(
        "machine-profile",
        "routes",
        "A machine that clients of a listening shim ask for as `/m/NAME/`: a file that `variant-index machine"
        " --save` wrote, or a name such as cuda12.8-sm90.",
        "shim",
        "NAME=FILE|NAME",
        default=(),
        default_text="names such as cuda12.8-sm90 only",
        adds=True,
    ),
    Setting(
        "stop-timeout",
        "seconds",
        "How long a listening shim finishes answers after SIGTERM.",
        "shim",
        "SECONDS",
        10.0,
        not_in_projects=True,
    ),
)
"""Every setting, in the order in which people look for them."""

_BY_KEY: Final = {setting.key: setting for setting in SETTINGS}


def by_key(key: str) -> Setting:
    """Return the setting with this key; raises `KeyError` when there is none."""
    return _BY_KEY[key]
