"""A misspelt hook, wave or dependency is told at its place instead of being passed over."""

from __future__ import annotations

import pytest

from reconciler.gitops.render import render
from reconciler.gitops.source import File, Snapshot
from reconciler.gitops.validate import validate


def findings(annotation: str, value: str) -> list[tuple[str, str, int, str]]:
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n    {annotation}: '{value}'\n"
    snapshot = Snapshot("1", {"a.yaml": File("a.yaml", "1", text.encode())})
    found = validate(render(snapshot).documents)
    return [(f.rule, f.severity, f.line, f.hint) for f in found]


@pytest.mark.parametrize(
    ("annotation", "value", "rule", "severity", "hint"),
    [
        ("reconciler.dev/hook", "PreSnyc", "gitops/hook", "error", 'did you mean "PreSync"?'),
        ("reconciler.dev/hook", "PreSync, Never", "gitops/hook", "error", ""),
        ("argocd.argoproj.io/hook", "PostSnc", "gitops/hook", "warning", 'did you mean "PostSync"?'),
        ("helm.sh/hook", "pre-instal", "gitops/hook", "warning", 'did you mean "pre-install"?'),
        ("reconciler.dev/hook-delete-policy", "HookSuceeded", "gitops/hook-delete-policy", "error", 'did you mean "HookSucceeded"?'),
        ("reconciler.dev/sync-wave", "1.5", "gitops/sync-wave", "error", ""),
        ("argocd.argoproj.io/sync-wave", "late", "gitops/sync-wave", "warning", ""),
        ("reconciler.dev/depends-on", "Secret/db", "gitops/depends-on", "error", ""),
        ("config.kubernetes.io/depends-on", "x", "gitops/depends-on", "error", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_told(
    annotation: str, value: str, rule: str, severity: str, hint: str
) -> None:
    assert findings(annotation, value) == [(rule, severity, 6, hint)]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("reconciler.dev/hook", "PreSync,SyncFail"),
        ("argocd.argoproj.io/hook", "Skip"),
        ("helm.sh/hook", "pre-install,pre-rollback,test"),
        ("helm.sh/hook-weight", "-5"),
        ("reconciler.dev/sync-wave", "-1"),
        ("reconciler.dev/depends-on", "v1/Secret/default/db, apps/v1/Deployment/default/web"),
    ],
)
def test_what_can_be_followed_is_not(annotation: str, value: str) -> None:
    assert findings(annotation, value) == []
