"""Which network addresses belong to the public internet, and which to us or our neighbours."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Say whether an IP address, with or without a zone (`%eth0`), may be reached on a tenant's behalf.

    Loopback, private, link-local, shared, reserved, multicast and documentation ranges are not public, nor
    are IPv6 forms that carry such an IPv4 address. Raises ValueError for what is not an address.
    """
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or _through_nat64(ip)
        if inner is not None:
            return is_public(str(inner))
        if ip.sixtofour is not None or ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _through_nat64(ip: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that a NAT64 gateway would connect to."""
    return IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
