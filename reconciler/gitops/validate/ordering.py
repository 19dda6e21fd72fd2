"""What annotations say of a sync: hooks, waves, what comes first. A word that nobody knows would be passed over. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.api.objects import annotations_of
from reconciler.api.rules.problem import nearest
from reconciler.gitops.hooks import HELM_HOOK, HOOK_ANNOTATIONS, POLICY_ANNOTATIONS, words_of
from reconciler.gitops.plan.depends_on import (
    CLI_UTILS_DEPENDS_ON,
    DEPENDS_ON,
    BadDependency,
    depends_on,
)
from reconciler.gitops.plan.order import WAVE_ANNOTATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.gitops.finding import Finding
    from reconciler.gitops.render import Document


def check_ordering(document: Document) -> Iterator[Finding]:
    """Yield annotations that cannot be followed: errors where they are ours, warnings where they are others'."""
    annotations = annotations_of(document.object)
    if not annotations:
        return
    for name in (*HOOK_ANNOTATIONS, HELM_HOOK, *POLICY_ANNOTATIONS):
        known = words_of(name)
        for word in filter(None, (w.strip() for w in annotations.get(name, "").split(","))):
            if word not in known:
                rule = "gitops/hook-delete-policy" if "policy" in name else "gitops/hook"
                listed = ", ".join(sorted(known))
                yield document.finding(
                    rule, _severity(name), f'{name} knows no "{word}"',
                    ("metadata", "annotations", name), nearest(word, known),
                    expected=f"one of {listed}", got=word,
                )  # fmt: skip
    for name in WAVE_ANNOTATIONS:
        text = annotations.get(name)
        if text is not None and not _is_number(text):
            yield document.finding(
                "gitops/sync-wave", _severity(name), f'{name} is a whole number, not "{text}"',
                ("metadata", "annotations", name), expected="a whole number", got=text,
            )  # fmt: skip
    try:
        depends_on(document.object)
    except BadDependency as error:
        name = DEPENDS_ON if str(error).startswith(DEPENDS_ON) else CLI_UTILS_DEPENDS_ON
        yield document.finding(
            "gitops/depends-on", "error", str(error), ("metadata", "annotations", name)
        )


def _severity(annotation: str) -> str:
    return "error" if annotation.startswith("reconciler.dev/") else "warning"


def _is_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True
