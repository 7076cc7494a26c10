"""One Ceph gateway for all tests of this folder that are marked `object_storage`."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping

import pytest

from tests.ceph import Gateway, UnavailableError, gateway

_numbers = itertools.count()


@pytest.fixture(scope="session")
def ceph() -> Iterator[Gateway]:
    running = gateway()
    try:
        started = running.__enter__()
    except UnavailableError as error:
        pytest.skip(str(error))
    try:
        started.make_bucket("wheels")
        yield started
    finally:
        running.__exit__(None, None, None)


@pytest.fixture
def url(ceph: Gateway, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return an empty place in a bucket; the environment says how to get there."""
    use(ceph.environment, monkeypatch)
    return f"s3://wheels/index{next(_numbers)}"


def use(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients find a server, and nothing else of this machine."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "HTTP", "http", "ALL_PROXY"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
