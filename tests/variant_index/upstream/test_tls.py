from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.certificates import Certificates, make_certificates
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.errors import UpstreamError
from variant_index.upstream.network import Network
from variant_index.upstream.source import SourceError

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="needs the openssl command to make a certificate")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem"


@pytest.fixture
def url(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while listener.fileno() >= 0:
            with suppress(OSError):  # a client that refuses the certificate
                connection, _ = listener.accept()
                with context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(65536)
                    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}/"
    listener.shutdown(socket.SHUT_RDWR)  # ends the waiting accept()
    listener.close()
    thread.join(60)


def test_an_unknown_certificate_is_refused_with_the_remedy(url: str) -> None:
    with pytest.raises(UpstreamError, match=r"certificate verify failed.*--cert or SSL_CERT_FILE"):
        Network().get(url, limit=100)


def test_own_certificates_by_option_and_environment(
    url: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Network(cert=str(certificate)).get(url, limit=100).body == b"ok"
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert Network().get(url, limit=100).body == b"ok"


def test_trusted_hosts_are_not_checked(url: str) -> None:
    authority = url.split("/")[2]
    for host in ("127.0.0.1", authority):
        assert Network(trusted_hosts=(host,)).get(url, limit=100).body == b"ok"
    with pytest.raises(UpstreamError):
        Network(trusted_hosts=("127.0.0.1:1",)).get(url, limit=100)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def test_a_server_that_wants_our_certificate(certificates: Certificates) -> None:
    authority = str(certificates.authority)
    with FakeIndex(certificates.server_context(ask_client=True)) as index:
        index.routes["/x"] = Route(b"page")
        known = Network(authority, client_cert=str(certificates.client))
        assert known.get(f"{index.root}/x", limit=100).body == b"page"
        insecure = Network(None, None, ("127.0.0.1",), client_cert=str(certificates.client))
        assert insecure.get(f"{index.root}/x", limit=100).body == b"page"
        with pytest.raises(UpstreamError, match=index.root):
            Network(authority).get(f"{index.root}/x", limit=100)


def test_unusable_client_certificates(certificates: Certificates, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="its key is encrypted") as caught:
        Network(client_cert=str(certificates.locked))
    assert str(caught.value).isprintable()
    (tmp_path / "odd.pem").write_text("nothing")
    for file in (tmp_path / "odd.pem", tmp_path / "missing.pem", certificates.authority):
        with pytest.raises(SourceError, match=file.name):
            Network(client_cert=str(file))
