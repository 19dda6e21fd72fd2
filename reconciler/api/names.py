"""Names: which are allowed, and what is wrong with the others, in Kubernetes' words (M20, RFC 1123, RFC 1035)."""

from __future__ import annotations

import functools
import ipaddress
import re

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_PORT_NAME = re.compile(r"[-a-z0-9]+\Z")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+\Z")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")

_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_LABEL_1035_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_CONFIG_KEY_WORDS = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "
    "is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)

#: Kinds whose names become host names of one label, or a label's value.
_LABEL_KINDS = frozenset({"Namespace", "Service", "StatefulSet"})
_FREE_KINDS = frozenset(
    {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Event", "PodDisruptionBudget"}
)


def label_problem(text: str) -> str:
    """Say what is wrong with an RFC 1123 label; empty where nothing is."""
    if len(text) > 63:
        return "must be no more than 63 characters"
    if _LABEL.match(text):
        return ""
    return "must not contain dots" if _SUBDOMAIN.match(text) else _LABEL_WORDS


def label_1035_problem(text: str) -> str:
    """Say what is wrong with an RFC 1035 label; empty where nothing is."""
    if len(text) > 63:
        return "must be no more than 63 characters"
    return "" if _LABEL_1035.match(text) else _LABEL_1035_WORDS


def subdomain_problem(text: str) -> str:
    """Say what is wrong with an RFC 1123 subdomain; empty where nothing is."""
    if len(text) > 253:
        return "must be no more than 253 characters"
    return "" if _SUBDOMAIN.match(text) else _SUBDOMAIN_WORDS


@functools.lru_cache(maxsize=4096)
def qualified_problem(text: str) -> str:
    """Say what is wrong with the key of a label or annotation (``prefix/name``)."""
    prefix, slash, name = text.rpartition("/")
    if slash and not prefix:
        return "prefix part must be non-empty"
    if slash and (problem := subdomain_problem(prefix)):
        return f"prefix part {problem}"
    if not name:
        return "name part must be non-empty"
    if len(name) > 63:
        return "name part must be no more than 63 characters"
    return "" if _QUALIFIED.match(name) else _QUALIFIED_WORDS


def domain_path_problem(text: str) -> str:
    """Return what keeps a text from being a path below a domain, as ``acme.io/foo``; empty where nothing does."""
    host, _, path = text.partition("/")
    if not host or not path:
        return 'must be a domain-prefixed path (such as "acme.io/foo")'
    if wrong := subdomain_problem(host):
        return wrong
    if not re.fullmatch(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", path):
        return "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"
    return ""


def label_value_problem(value: object) -> str:
    """Say what is wrong with a label's value."""
    return _value_problem(value) if isinstance(value, str) else "must be a string"


@functools.lru_cache(maxsize=4096)
def _value_problem(value: str) -> str:
    if len(value) > 63:
        return "must be no more than 63 bytes"
    return "" if not value or _QUALIFIED.match(value) else _VALUE_WORDS


@functools.lru_cache(maxsize=1024)
def port_name_problem(text: str) -> str:
    """Say what is wrong with a port's name (IANA_SVC_NAME, RFC 6335)."""
    if len(text) > 15:
        return "must be no more than 15 characters"
    if not _PORT_NAME.match(text):
        return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not any(c.isalpha() for c in text):
        return "must contain at least one letter (a-z)"
    if "--" in text:
        return "must not contain consecutive hyphens"
    if text.startswith("-") or text.endswith("-"):
        return "must not begin or end with a hyphen"
    return ""


def port_problem(value: object) -> str:
    """Say what is wrong with a port that is a number or a name."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return "must be a port number or a port name"
    if isinstance(value, str):
        return port_name_problem(value)
    return "" if 0 < value < 65536 else "must be between 1 and 65535, inclusive"


@functools.lru_cache(maxsize=1024)
def config_key_problem(text: str) -> str:
    """Say what is wrong with the key of a ConfigMap or Secret."""
    if len(text) > 253:
        return "must be no more than 253 characters"
    if text in (".", "..") or text.startswith(".."):
        return f"must not be '{text}'" if text in (".", "..") else "must not start with '..'"
    return "" if _CONFIG_KEY.match(text) else _CONFIG_KEY_WORDS


def address_problem(text: object) -> str:
    """Say what is wrong with an IP address; ``010.0.0.1`` is refused as ambiguous."""
    try:
        ipaddress.ip_address(str(text))
    except ValueError:
        return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
    return ""


def network_problem(text: object) -> str:
    """Say what is wrong with a CIDR."""
    words = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    if "/" not in str(text):
        return words
    try:
        ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        return words
    return ""


def routable_problem(text: object) -> str:
    """Say why an address cannot be where traffic is sent to: loopback, link-local, multicast, unspecified."""
    if wrong := address_problem(text):
        return wrong
    address = ipaddress.ip_address(str(text))
    if address.is_unspecified:
        return f"may not be unspecified ({text})"
    if address.is_loopback:
        return "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    if address.is_link_local:
        return "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    if address.is_multicast:
        return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
    return ""


def problem(kind: str, name: str) -> str:
    """Say what is wrong with an object's name."""
    if kind in _FREE_KINDS:
        if name in (".", ".."):
            return f"may not be '{name}'"
        bad = next((c for c in "/%" if c in name), "")
        return f"may not contain '{bad}'" if bad else ""
    if kind == "CronJob" and len(name) > 52:
        return "must be no more than 52 characters"
    return label_problem(name) if kind in _LABEL_KINDS else subdomain_problem(name)
