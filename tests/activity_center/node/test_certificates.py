"""The certificates of a secured node."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from activity_center.node.certificates import generate


def test_the_node_is_localhost_to_those_who_trust_its_authority() -> None:
    """A client that trusts this authority alone accepts the node by both of its names."""
    certificates = generate()
    leaf = x509.load_pem_x509_certificate(certificates.node.certificate)
    ca = x509.load_pem_x509_certificate(certificates.ca)
    builder = PolicyBuilder().store(Store([ca]))
    builder.build_server_verifier(x509.DNSName("localhost")).verify(leaf, [])
    with pytest.raises(VerificationError):
        builder.build_server_verifier(x509.DNSName("example.org")).verify(leaf, [])
    other = x509.load_pem_x509_certificate(generate().ca)
    with pytest.raises(VerificationError):
        PolicyBuilder().store(Store([other])).build_server_verifier(
            x509.DNSName("localhost")
        ).verify(leaf, [])


def test_keys_belong_to_their_certificates() -> None:
    """Each pair is a pair, and the administrator's certificate is no server's."""
    certificates = generate()
    for pair in (certificates.node, certificates.admin):
        certificate = x509.load_pem_x509_certificate(pair.certificate)
        key = serialization.load_pem_private_key(pair.key, None)
        assert key.public_key() == certificate.public_key()
        assert certificate.subject.rfc4514_string() == pair.subject
    admin = x509.load_pem_x509_certificate(certificates.admin.certificate)
    usages = admin.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert x509.oid.ExtendedKeyUsageOID.SERVER_AUTH not in usages
