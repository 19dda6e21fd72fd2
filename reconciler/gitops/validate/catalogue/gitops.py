"""The catalogue's rules of what a sync is told by annotations."""

from reconciler.gitops.validate.catalogue.rule import Rule, flat


def _annotated(name: str, value: str) -> str:
    return flat("v1", "ConfigMap", meta=f'name: a, annotations: {{{name}: "{value}"}}')


RULES = (
    Rule("gitops/hook", "error", "Phases of hooks",
         "A phase that there is not: the object would never be applied. A warning where the annotation is Argo CD's or Helm's.",
         _annotated("reconciler.dev/hook", "PreSnyc")),
    Rule("gitops/hook-delete-policy", "error", "When hooks are deleted",
         "A policy that there is not. A warning where the annotation is Argo CD's or Helm's.",
         _annotated("reconciler.dev/hook-delete-policy", "HookSucceded")),
    Rule("gitops/sync-wave", "error", "Waves are numbers",
         "A wave that is no number counts as wave 0. A warning where the annotation is Argo CD's or Helm's.",
         _annotated("reconciler.dev/sync-wave", "first")),
    Rule("gitops/depends-on", "error", "What comes first", "The name of an object that cannot be read.",
         _annotated("reconciler.dev/depends-on", "Secret/db")),
)  # fmt: skip
