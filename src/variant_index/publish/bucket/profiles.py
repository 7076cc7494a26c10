"""What `~/.aws/config` and `~/.aws/credentials` say of a profile: static keys, region, endpoint.

obstore reads the environment only. Names, sections and the order in which the places count are those of the
AWS SDKs' reference guide, "Shared config and credentials files". Credentials that somebody has to be asked
for (SSO, roles, programs) are not: the AWS command line can write those into the environment.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path

from variant_index.errors import InputError, printable

__all__ = ["ProfileError", "Sections", "profile_options", "read_profile_options", "read_sections"]

_MAX_BYTES = 1 << 20

_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
# With one of these in the environment it is settled who we are.
_WHO = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE")
_REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")
_ENDPOINT = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT")
_PROGRAM = "credential_process"
_ASKED_FOR = ("sso_session", "sso_start_url", "role_arn", _PROGRAM)

Sections = Mapping[str, Mapping[str, str]]
"""A file's sections, each with its keys in lower case."""


class ProfileError(InputError):
    """A profile is not there, or says too little; a file cannot be read. Messages hold no value of a file."""


def read_profile_options(environment: Mapping[str, str]) -> dict[str, str]:
    """Read the files and return what they add to the environment, by the names that obstore has for it.

    Args:
        environment: the environment; `AWS_PROFILE`, `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` say
            where to look.

    Raises:
        ProfileError: a file cannot be read, or `profile_options` raises it.
    """
    config = read_sections(_place(environment, "AWS_CONFIG_FILE", "config"))
    credentials = read_sections(_place(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials"))
    return profile_options(environment, config, credentials)


def _place(environment: Mapping[str, str], variable: str, name: str) -> Path:
    path = Path(environment.get(variable) or f"~/.aws/{name}")
    try:
        return path.expanduser()
    except RuntimeError:  # nobody's home is known
        return path


def read_sections(path: Path) -> Sections:
    """Read one of the files; one that is not there has no sections.

    Raises:
        ProfileError: it cannot be read, or is not of the form of these files.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ProfileError(f"{printable(str(path))}: {error.strerror}") from None
    parser = configparser.RawConfigParser(strict=False, default_section="", allow_no_value=True)
    try:
        if len(data) > _MAX_BYTES:
            raise ValueError
        parser.read_string(data.decode("utf-8-sig"))
    except (ValueError, configparser.Error):
        # What the parser says of it repeats the line, which may hold a key.
        raise ProfileError(
            f"{printable(str(path))}: is no file of profiles ([name] sections of `key = value` lines); "
            "mend it, or have AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name other files"
        ) from None
    return {name: {key: value or "" for key, value in parser.items(name)} for name in parser.sections()}


def profile_options(
    environment: Mapping[str, str], config: Sections, credentials: Sections
) -> dict[str, str]:
    """Return what a profile adds to the environment (pure).

    Variables come first, each alone; but the keys are one: they come from the environment, from the
    credentials file or from the config file, and never from two of them.

    Raises:
        ProfileError: credentials are wanted from a profile that is not there, or that has them elsewhere.
    """
    name = environment.get("AWS_PROFILE") or "default"
    sections = [f"profile {name}"] if name != "default" else ["profile default", "default"]
    settings = next((config[section] for section in sections if section in config), {})
    stored = credentials.get(name, {})
    options = {} if _any(environment, _WHO) else _keys(name, settings, stored)
    if not settings and not stored:
        if environment.get("AWS_PROFILE") and not _any(environment, _WHO):
            raise ProfileError(
                f"AWS_PROFILE={printable(name)}: no such profile in ~/.aws/config or ~/.aws/credentials"
            )
        return options
    region = settings.get("region") or stored.get("region")
    if region and not _any(environment, _REGION):
        options["aws_region"] = region
    services = config.get(f"services {settings.get('services')}", {})
    endpoint = _nested(services.get("s3", ""), "endpoint_url") or settings.get("endpoint_url")
    if endpoint and not _any(environment, _ENDPOINT):
        options["aws_endpoint_url"] = endpoint
    return options


def _any(environment: Mapping[str, str], names: tuple[str, ...]) -> bool:
    return any(environment.get(name) for name in names)


def _keys(name: str, settings: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
    """Return the keys of a profile, none when it has none."""
    how = next((key for key in _ASKED_FOR if settings.get(key) or stored.get(key)), None)
    if how is not None and not (how == _PROGRAM and _any(stored, _KEYS)):
        raise ProfileError(
            f"profile {printable(name)}: credentials by {how} are not supported; run "
            f'eval "$(aws configure export-credentials --profile {printable(name)} --format env)" first'
        )
    section = stored if _any(stored, _KEYS) else settings
    found = {key: section[key] for key in _KEYS if section.get(key)}
    if found and not {*_KEYS[:2]} <= found.keys():
        raise ProfileError(
            f"profile {printable(name)}: {_KEYS[0]} and {_KEYS[1]} belong together: write both into one file"
        )
    return found


def _nested(text: str, wanted: str) -> str:
    """Return a value of a nested section: lines of `key = value`, indented more."""
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip() == wanted:
            return value.strip()
    return ""
