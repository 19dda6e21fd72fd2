"""Names: which are allowed, and what is wrong with the others, in Kubernetes' words (M20, RFC 1123, RFC 1035)."""

from __future__ import annotations

import re

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
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
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "
    "is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)

#: Kinds whose names become host names of one label.
_LABEL_KINDS = frozenset({"Namespace"})
_FREE_KINDS = frozenset({"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Event"})


def label_problem(text: str) -> str:
    """Say what is wrong with an RFC 1123 label; empty where nothing is."""
    if len(text) > 63:
        return "must be no more than 63 characters"
    return "" if _LABEL.match(text) else _LABEL_WORDS


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


def qualified_problem(text: str) -> str:
    """Say what is wrong with the key of a label or annotation (``prefix/name``)."""
    prefix, slash, name = text.rpartition("/")
    if slash and (problem := subdomain_problem(prefix)):
        return f"prefix part {problem}"
    if len(name) > 63:
        return "name part must be no more than 63 characters"
    return "" if _QUALIFIED.match(name) else _QUALIFIED_WORDS


def label_value_problem(value: object) -> str:
    """Say what is wrong with a label's value."""
    if not isinstance(value, str):
        return "must be a string"
    if len(value) > 63:
        return "must be no more than 63 characters"
    return "" if not value or _QUALIFIED.match(value) else _VALUE_WORDS


def problem(kind: str, name: str) -> str:
    """Say what is wrong with an object's name."""
    if kind in _FREE_KINDS:
        return "" if "/" not in name and name not in (".", "..") else "may not contain '/'"
    if kind in _LABEL_KINDS:
        return label_problem(name)
    if kind == "Service":
        return label_1035_problem(name)
    return subdomain_problem(name)
