"""Make the certificates of compose.yaml: an authority of its own, and one pair for each server.

Runs once in the image, as its service ``certificates``. What is there already stays, so that a
browser that was told to trust the authority goes on to.

    python certificates.py FOLDER NAME[=DNS,DNS...] ...
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 3650


def named(common: str) -> x509.Name:
    """Return a subject."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def builder(
    common: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    """Return what every certificate has (RFC 5280 section 4.1)."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named(common))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=DAYS))
    )


def alternative(name: str) -> x509.GeneralName:
    """Return a name or an address that a server is reached by."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def write(folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    """Write a pair.

    The key is readable by all in the volume, since Valkey's image runs as another user than
    ours; only the servers of this compose file mount it, read-only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "tls.key").chmod(0o444)
    (folder / "tls.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def main(folder: Path, servers: list[str]) -> None:
    """Make what is missing."""
    authority = folder / "authority" / "ca.crt"
    pairs = {name: names.split(",") for name, _, names in (one.partition("=") for one in servers)}
    if authority.exists() and all((folder / name / "tls.crt").exists() for name in pairs):
        print("the certificates are there already")
        return
    ca_key = ec.generate_private_key(ec.SECP256R1())
    issuer = named("Activity Center compose")
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    ca = (
        builder("Activity Center compose", issuer, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    for name, reached in pairs.items():
        key = ec.generate_private_key(ec.SECP256R1())
        names = [alternative(one) for one in (name, *reached) if one]
        certificate = (
            builder(name, issuer, key.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        write(folder / name, key, certificate)
    authority.parent.mkdir(parents=True, exist_ok=True)
    authority.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    print(f"made certificates for {', '.join(pairs)}; the authority is {authority}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
