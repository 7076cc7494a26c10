"""Random and malicious pages and documents: no traceback, no hang, nothing illegal listed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.utils import parse_wheel_filename

from tests.variant_index.shim.family import DOCUMENT, NAME, SIDECAR, write_release, write_sidecar
from tests.variant_index.shim.serving import Shim, running_shim
from tests.variant_index.upstream.fake_index import HTML_TYPE, JSON_TYPE, FakeIndex, Route

GOOD = json.dumps(DOCUMENT).encode()


@pytest.fixture(scope="module")
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


@pytest.fixture(scope="module")
def shim(index: FakeIndex) -> Iterator[Shim]:
    with running_shim(index.url) as shim:
        yield shim


def check(shim: Shim) -> None:
    for accept in (JSON_TYPE, "text/html"):
        answer = shim.ask(f"{NAME}/", accept=accept)
        assert answer.status in (200, 424)
        assert [failure for failure in shim.journal.failures if "internal error" in failure] == []
        assert all(
            line.isprintable() and len(line) < 1000
            for line in (*shim.journal.failures, *shim.journal.warnings)
        )


_TEXT = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["\x1b[2J", "\n", "../../x", "%2e%2e/", "a" * 5000, "\ud800", "''\"<>&"]),
)
_NAMES = st.one_of(
    st.builds(
        "{}-{}-{}{}.whl".format,
        st.sampled_from([NAME, "other", "VTorch", ""]),
        st.sampled_from(["1.0", "2.0", "1!2", "x", "2.0+cu1"]),
        st.sampled_from(
            ["py3-none-any", "1-py3-none-any", "py3-none-any-cu128", "1-py3-none-any-null", "py3-none"]
        ),
        st.sampled_from(["", "-cu128", "-null", "-NULL", "-"]),
    ),
    st.sampled_from([SIDECAR, f"{NAME}-1.0-variants.json", f"{NAME}-2.0.tar.gz", f"{NAME}.exe"]),
    _TEXT,
)
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), _TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXT, inner, max_size=4)),
    max_leaves=10,
)
_ENTRIES = st.fixed_dictionaries(
    {"filename": st.one_of(_NAMES, _JSON)},
    optional={
        "url": st.one_of(
            _NAMES, _JSON, st.sampled_from(["file:///etc/passwd", "http://[", "//h/x", "javascript:0"])
        ),
        "hashes": st.one_of(
            _JSON, st.just({"sha256": "0" * 64}), st.just({"sha256": hashlib.sha256(GOOD).hexdigest()})
        ),
        "yanked": _JSON,
        "requires-python": _JSON,
        "core-metadata": _JSON,
        "size": _JSON,
    },
)


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=st.lists(_ENTRIES, max_size=8), document=st.one_of(st.just(GOOD), _JSON))
def test_random_json_pages(index: FakeIndex, shim: Shim, files: list[Any], document: Any) -> None:
    page = json.dumps({"meta": {"api-version": "1.0"}, "name": NAME, "files": files}).encode()
    index.routes[f"/simple/{NAME}/"] = Route(page + b" " * 3, JSON_TYPE)
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    for name in (SIDECAR, f"{NAME}-1.0-variants.json"):
        index.routes[f"/simple/{NAME}/{name}"] = Route(data)
    check(shim)


@settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    body=st.binary(max_size=300),
    kind=st.sampled_from([JSON_TYPE, HTML_TYPE, f"{HTML_TYPE}; charset=utf-16", "x/y"]),
)
def test_random_bytes(index: FakeIndex, shim: Shim, body: bytes, kind: str) -> None:
    index.routes[f"/simple/{NAME}/"] = Route(body + f'<a href="{SIDECAR}">'.encode(), kind)
    check(shim)


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(names=st.lists(_NAMES, max_size=10))
def test_random_html_links(index: FakeIndex, shim: Shim, names: list[str]) -> None:
    page = "".join(f'<a href="{name}#sha256={"0" * 64}">{name}</a>' for name in [*names, SIDECAR])
    index.routes[f"/simple/{NAME}/"] = Route(page.encode("utf-8", "replace"), HTML_TYPE)
    index.routes[f"/simple/{NAME}/{SIDECAR}"] = Route(GOOD)
    check(shim)
    answer = shim.ask(f"{NAME}/")
    if answer.status == 200:
        # Whatever leads through the shim has a name that every installer can read.
        for filename, entry in answer.files().items():
            assert "/f/" not in entry["url"] or parse_wheel_filename(filename)


@pytest.mark.parametrize(
    "document",
    [
        b'{"a":' * 50_000,
        json.dumps({**DOCUMENT, "variants": {f"v{number}": {} for number in range(40_000)}}).encode(),
        json.dumps({**DOCUMENT, "variants": {"cu128": {"nvidia": {"sm_arch": ["1" * 500_000]}}}}).encode(),
        GOOD.replace(b"cu128", b"../../etc"),
        b"\x00" * 1000,
    ],
)
def test_documents_made_to_hurt(index: FakeIndex, tmp_path: Path, document: bytes) -> None:
    with running_shim(index.url) as shim:
        files = [
            index.add_file(path) for path in [*write_release(tmp_path), write_sidecar(tmp_path, document)]
        ]
        index.add_project(NAME, files)
        assert f"{NAME}-2.0-py3-none-any.whl" in shim.ask(f"{NAME}/").files()
        assert all(len(line) < 1000 for line in shim.journal.warnings)
        assert shim.journal.failures == ()
