"""Attestations that come with an upload are kept, when they are about the file."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.provenance.test_attestation import published, statement
from tests.variant_index.provenance.test_verify import publisher
from tests.variant_index.publish.family import CU128, make_variant
from tests.variant_index.upload.sending import Running, form, running, upload_form
from variant_index.publish.attested import require_attested
from variant_index.publish.folder.store import FolderStore

BASE = "https://wheels.example/site"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "out", base_url=BASE) as server:
        yield server
        assert server.left() == []


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_variant(tmp_path / "in", "vdemo-1.0+local.1-py3-none-any-cu128.whl", CU128)


def attestation(path: Path, name: str | None = None) -> dict[str, object]:
    """Return an attestation of a file, or of its bytes under another name; its signature is worth nothing."""
    (one,) = published()["attestation_bundles"][0]["attestations"]
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    one["envelope"]["statement"] = base64.b64encode(statement(name or path.name, sha256)).decode()
    assert isinstance(one, dict)
    return one


def objects(out: Path) -> list[dict[str, object]]:
    """Return the provenance objects that the project's page names."""
    page = FolderStore(out).page("vdemo")
    addresses = [file.provenance for file in page.files if file.provenance] if page is not None else []
    return [
        json.loads((out / address.removeprefix(f"{BASE}/").replace("%2B", "+")).read_bytes())
        for address in addresses
    ]


def test_they_are_published(server: Running, wheel: Path) -> None:
    one = attestation(wheel)
    status, text = server.upload(wheel, attestations=json.dumps([one, one]))
    assert (status, text) == (200, f"{wheel.name}: published\n")
    (content,) = objects(server.out)
    assert content == {
        "version": 1,
        "attestation_bundles": [{"publisher": {"kind": "unverified"}, "attestations": [one, one]}],
    }
    assert [kind for kind, _ in server.log if kind != "note"] == ["warning"]  # there is no plain wheel
    # Without them nothing is lost, and a file may be attested later.
    assert server.upload(wheel)[0] == 200
    assert objects(server.out) == [content]
    assert server.upload(wheel, attestations=json.dumps([one]))[0] == 200
    (later,) = objects(server.out)
    assert later != content


def test_the_order_of_fields_does_not_matter(server: Running, wheel: Path) -> None:
    field = ('; name="attestations"', json.dumps([attestation(wheel)]).encode())
    file = (f'; name="content"; filename="{wheel.name}"', wheel.read_bytes())
    action = ('; name=":action"', b"file_upload")
    assert server.post(form([file, action, field]))[0] == 200
    assert len(objects(server.out)) == 1


def test_of_another_file_they_are_refused(server: Running, wheel: Path) -> None:
    other = make_wheel(wheel.parent, "vdemo-1.0+local.1-py3-none-any.whl")
    for wrong, problem in (
        (attestation(other), f"the statement is about '{other.name}', another file"),
        (attestation(other, wheel.name), "a file of this name with other bytes"),
    ):
        for several in ([wrong], [attestation(wheel), wrong]):
            status, text = server.upload(wheel, attestations=json.dumps(several))
            assert (status, problem in text, "(REL009)" in text) == (400, True, True), text
            assert str(server.out) not in text
    assert server.listed() == {}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "not JSON"),
        ("{}", "not a list"),
        ("[]", "0 attestations"),
        ("[" * 5000, "not JSON"),
        ("[1]", "not a JSON object"),
        (f"[{' ' * (1 << 20)}]", "longer than 1048576 bytes"),
    ],
)
def test_what_are_no_attestations(server: Running, wheel: Path, value: str, problem: str) -> None:
    status, text = server.upload(wheel, attestations=value)
    assert (status, problem in text) == (400, True), text
    assert server.listed() == {}


def test_two_fields_are_refused(server: Running, wheel: Path) -> None:
    body = upload_form(wheel.name, wheel.read_bytes(), attestations=json.dumps([attestation(wheel)]))
    at = body.index(b'; name="attestations"')
    start = body.rindex(b"--mark\r\n", 0, at)
    part = body[start : body.index(b"--mark", at)]
    status, text, _ = server.post(body[:start] + part + body[start:])
    assert (status, "two fields attestations" in text) == (400, True)


def test_without_an_address_they_are_not_published_and_the_server_says_so(
    tmp_path: Path, wheel: Path
) -> None:
    with running(tmp_path / "out") as server:
        assert server.upload(wheel, attestations=json.dumps([attestation(wheel)]))[0] == 200
        assert objects(server.out) == []
        assert any("--base-url" in text for kind, text in server.log if kind == "warning")


def test_a_server_may_want_good_signatures(tmp_path: Path, wheel: Path) -> None:
    with running(tmp_path / "out", check=partial(require_attested, policy=[publisher()])) as server:
        status, text = server.upload(wheel)
        assert (status, "has no attestation" in text, "(REL010)" in text) == (400, True, True)
        status, text = server.upload(wheel, attestations=json.dumps([attestation(wheel)]))
        assert (status, "not signed by" in text) == (400, True)
        assert str(tmp_path) not in text
        assert server.listed() == {}
        assert server.left() == []
