"""From a snapshot to documents: Kustomize or Helm where a source asks for them, then render, decrypt, substitute.

``Builder.build`` is what the engine and the command line call. What touches the machine is here (tools' processes, key
files, values files); what it feeds, ``gitops.render``, is pure. Unchanged input costs nothing: each step keeps what it
made, and an unchanged document stays the very same object.
"""

from reconciler.gitops.generate.builder import Builder
from reconciler.gitops.generate.keys import AgeKeys
from reconciler.gitops.generate.values import layered, values_of
from reconciler.gitops.generate.variables import variables_of

__all__ = ["AgeKeys", "Builder", "layered", "values_of", "variables_of"]
