"""TLS for the gRPC server: each connection gets the newest certificate."""

from __future__ import annotations

import grpc

from stateward_server.tls import Certificate, Certificates


def credentials_of(certificates: Certificates) -> grpc.ServerCredentials:
    """Return credentials that ask for the certificate anew at every handshake, in a thread of gRPC's."""
    served = certificates.current()

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal served
        newest = certificates.current()
        if newest is served:
            return None
        served = newest
        return _configuration(newest)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(served),
        renewed,  # type: ignore[arg-type]  # None says "no change", which the stubs do not know
        require_client_authentication=served.client_ca is not None,
    )


def _configuration(certificate: Certificate) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(certificate.key, certificate.chain)], root_certificates=certificate.client_ca
    )
