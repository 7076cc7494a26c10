"""Certificates for loopback servers of tests: an authority, and what it signs."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificates:
    """PEM files.

    `authority` is to be trusted, `server` is for 127.0.0.1 and localhost, `client` names a user; the latter
    two hold their keys. `locked` is `client` with an encrypted key.
    """

    authority: Path
    server: Path
    client: Path
    locked: Path

    def server_context(self, *, ask_client: bool = False) -> ssl.SSLContext:
        """Return what a server needs; it may refuse clients without a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.authority)
        return context


def make_certificates(folder: Path) -> Certificates:
    """Make an authority and its certificates, good for a day."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _signed("tests", authority_key, "tests", authority_key, is_authority=True)
    files = Certificates(*(folder / f"{name}.pem" for name in ("authority", "server", "client", "locked")))
    files.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    for file, passphrase in ((files.server, None), (files.client, None), (files.locked, b"secret")):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _signed(file.stem, key, "tests", authority_key)
        locked = serialization.BestAvailableEncryption(passphrase) if passphrase else None
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            locked or serialization.NoEncryption(),
        )
        file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return files


def _signed(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                encipher_only=False,
                decipher_only=False,
                **usage,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
            ),
            critical=False,
        )
    )
    return builder.sign(issuer_key, hashes.SHA256())
