"""Rules of admission webhooks: what is asked, whom, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from reconciler.api import names
from reconciler.api.rules.problem import (
    Part,
    Path,
    Problem,
    below,
    duplicate,
    each,
    invalid,
    required,
    unsupported,
)
from reconciler.api.rules.selection import label_selector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.api.objects import Object

_REVIEWS = ("v1", "v1beta1")
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_LONGEST = 30


def webhooks(obj: Object) -> Iterator[Problem]:
    """Yield what is wrong with a ValidatingWebhookConfiguration or a MutatingWebhookConfiguration."""
    seen: set[str] = set()
    for path, hook in each(obj, "webhooks", ()):
        name = str(hook.get("name") or "")
        yield from _name(name, (*path, "name"))
        if name in seen:
            yield duplicate("webhook", (*path, "name"), name)
        seen.add(name)
        yield from _webhook(hook, path)


def _name(name: str, path: Path) -> Iterator[Problem]:
    if not name:
        yield required("webhook", path)
    elif wrong := names.subdomain_problem(name):
        yield invalid("webhook", path, name, wrong)
    elif name.count(".") < 2:
        told = "should be a domain with at least three segments separated by dots"
        yield invalid("webhook", path, name, told)


def _webhook(hook: Part, path: Path) -> Iterator[Problem]:
    for here, one in each(hook, "rules", path):
        yield from _rule(one, here)
    reviews = hook.get("admissionReviewVersions") or ()
    here = (*path, "admissionReviewVersions")
    if not reviews:
        yield required("webhook", here, f"must specify one of {', '.join(_REVIEWS)}")
    elif not set(reviews) & set(_REVIEWS):
        yield invalid(
            "webhook", here, reviews, f"must include at least one of {', '.join(_REVIEWS)}"
        )
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= _LONGEST:
        told = f"the timeout value must be between 1 and {_LONGEST} seconds"
        yield invalid("webhook", (*path, "timeoutSeconds"), seconds, told)
    for field in ("namespaceSelector", "objectSelector"):
        yield from label_selector(hook.get(field), (*path, field))
    yield from client(below(hook, "clientConfig"), (*path, "clientConfig"))


def _rule(one: Part, path: Path) -> Iterator[Problem]:
    for field, what in (("apiGroups", "API groups"), ("apiVersions", "API versions")):
        words = one.get(field) or ()
        if not words:
            yield required("webhook", (*path, field))
        elif "*" in words and len(words) > 1:
            told = f"if '*' is present, must not specify other {what}"
            yield invalid("webhook", (*path, field), words, told)
    if not one.get("resources"):
        yield required("webhook", (*path, "resources"))
    operations = one.get("operations") or ()
    if not operations:
        yield required("webhook", (*path, "operations"))
    for index, word in enumerate(operations):
        if word not in _OPERATIONS:
            yield unsupported("webhook", (*path, "operations", index), word, _OPERATIONS)


def client(held: Part, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with the address of a webhook: a URL, or a Service."""
    service = held.get("service")
    if (held.get("url") is None) == (service is None):
        yield required("webhook", path, "exactly one of url or service is required")
    elif service is not None:
        yield from _service(service, (*path, "service"))
    else:
        yield from _url(held["url"], (*path, "url"))


def _service(held: Part, path: Path) -> Iterator[Problem]:
    for field in ("name", "namespace"):
        if not held.get(field):
            yield required("webhook", (*path, field), f"service {field} is required")
    port = held.get("port")
    if port is not None and (wrong := names.port_problem(port)):
        yield invalid("webhook", (*path, "port"), port, f"port is not valid: {wrong}")
    route = held.get("path")
    if route and not route.startswith("/"):
        yield invalid("webhook", (*path, "path"), route, "must start with a '/'")


def _url(url: Any, path: Path) -> Iterator[Problem]:
    told = "desired format: https://host[/path]"
    try:
        parts = urlsplit(str(url))
    except ValueError:
        yield required("webhook", path, f"url must be a valid URL; {told}")
        return
    if parts.scheme != "https":
        yield invalid("webhook", path, url, f"'https' is the only allowed URL scheme; {told}")
    if not parts.netloc:
        yield invalid("webhook", path, url, f"host must be specified; {told}")
    if parts.username is not None:
        yield invalid("webhook", path, "…", f"user information is not permitted in the URL; {told}")
    for word, value in (("query parameters", parts.query), ("fragments", parts.fragment)):
        if value:
            yield invalid("webhook", path, url, f"{word} are not permitted in the URL; {told}")
