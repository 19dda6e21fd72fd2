"""THE table of kinds: what is known of each kind of object, once.

``run`` says whether something here acts on the kind; the others are stored and shown only. A kind that is not in the
table is accepted as well (``unknown``): guessed plural, namespaced, stored and shown.
"""

from __future__ import annotations

from typing import NamedTuple

from reconciler.api.objects import GroupVersionKind, Object


class Kind(NamedTuple):
    """One kind: its names and its habits."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    run: bool = True
    status: bool = True  # has a status subresource
    generation: bool = True  # metadata.generation counts changes of the spec (M01)
    scale: bool = False  # has a scale subresource
    categories: tuple[str, ...] = ()
    known: bool = True

    @property
    def gvk(self) -> GroupVersionKind:
        return GroupVersionKind(self.group, self.version, self.kind)

    @property
    def api_version(self) -> str:
        return self.gvk.api_version

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def resource(self) -> str:
        """``deployments.apps``, ``pods``: the name errors and events use."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def __str__(self) -> str:
        return self.resource


_ALL = ("all",)

NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False, short_names=("ns",))
POD = Kind("", "v1", "Pod", "pods", short_names=("po",), categories=_ALL)
SERVICE = Kind(
    "", "v1", "Service", "services", short_names=("svc",), generation=False, categories=_ALL
)
SERVICE_ACCOUNT = Kind(
    "",
    "v1",
    "ServiceAccount",
    "serviceaccounts",
    short_names=("sa",),
    status=False,
    generation=False,
)
CONFIG_MAP = Kind(
    "", "v1", "ConfigMap", "configmaps", short_names=("cm",), status=False, generation=False
)
SECRET = Kind("", "v1", "Secret", "secrets", status=False, generation=False)
PERSISTENT_VOLUME = Kind(
    "",
    "v1",
    "PersistentVolume",
    "persistentvolumes",
    namespaced=False,
    short_names=("pv",),
    generation=False,
)
PERSISTENT_VOLUME_CLAIM = Kind(
    "",
    "v1",
    "PersistentVolumeClaim",
    "persistentvolumeclaims",
    short_names=("pvc",),
    generation=False,
)
NODE = Kind("", "v1", "Node", "nodes", namespaced=False, short_names=("no",), generation=False)
EVENT = Kind("", "v1", "Event", "events", short_names=("ev",), status=False, generation=False)
DEPLOYMENT = Kind(
    "apps", "v1", "Deployment", "deployments", short_names=("deploy",), scale=True, categories=_ALL
)
REPLICA_SET = Kind(
    "apps", "v1", "ReplicaSet", "replicasets", short_names=("rs",), scale=True, categories=_ALL
)
STATEFUL_SET = Kind(
    "apps", "v1", "StatefulSet", "statefulsets", short_names=("sts",), scale=True, categories=_ALL
)
DAEMON_SET = Kind("apps", "v1", "DaemonSet", "daemonsets", short_names=("ds",), categories=_ALL)
JOB = Kind("batch", "v1", "Job", "jobs", categories=_ALL)
CRON_JOB = Kind("batch", "v1", "CronJob", "cronjobs", short_names=("cj",), categories=_ALL)
POD_DISRUPTION_BUDGET = Kind(
    "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", short_names=("pdb",)
)
HORIZONTAL_POD_AUTOSCALER = Kind(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    short_names=("hpa",),
    generation=False,
    categories=_ALL,
)
CONTROLLER_REVISION = Kind(
    "apps", "v1", "ControllerRevision", "controllerrevisions", status=False, generation=False
)
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", status=False)
INGRESS = Kind("networking.k8s.io", "v1", "Ingress", "ingresses", short_names=("ing",))
INGRESS_CLASS = Kind(
    "networking.k8s.io", "v1", "IngressClass", "ingressclasses", namespaced=False, status=False
)
STORAGE_CLASS = Kind(
    "storage.k8s.io",
    "v1",
    "StorageClass",
    "storageclasses",
    namespaced=False,
    short_names=("sc",),
    status=False,
    generation=False,
)
APPLICATION = Kind(
    "reconciler.dev", "v1", "Application", "applications", namespaced=False, short_names=("app",)
)
#: Its type is served at once (so it has a status); what its schema says is not enforced.
CUSTOM_RESOURCE_DEFINITION = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False,
    short_names=("crd", "crds"), run=False,
)  # fmt: skip


def _stored(
    group: str,
    kind: str,
    plural: str,
    *short: str,
    namespaced: bool = True,
    version: str = "v1",
    status: bool = False,
) -> Kind:
    return Kind(
        group,
        version,
        kind,
        plural,
        namespaced=namespaced,
        short_names=short,
        run=False,
        status=status,
        generation=status,
    )


#: Every known kind. The first block is run by reconciler; the second is stored and shown.
KINDS: tuple[Kind, ...] = (
    NAMESPACE,
    POD,
    SERVICE,
    CONFIG_MAP,
    SECRET,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    NODE,
    EVENT,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    DAEMON_SET,
    JOB,
    CRON_JOB,
    POD_DISRUPTION_BUDGET,
    HORIZONTAL_POD_AUTOSCALER,
    CONTROLLER_REVISION,
    ENDPOINT_SLICE,
    INGRESS,
    INGRESS_CLASS,
    STORAGE_CLASS,
    APPLICATION,
    SERVICE_ACCOUNT,
    _stored("", "Endpoints", "endpoints", "ep"),
    _stored("", "LimitRange", "limitranges", "limits"),
    _stored("", "ResourceQuota", "resourcequotas", "quota", status=True),
    _stored("", "ReplicationController", "replicationcontrollers", "rc", status=True),
    _stored("networking.k8s.io", "NetworkPolicy", "networkpolicies", "netpol"),
    _stored("rbac.authorization.k8s.io", "Role", "roles"),
    _stored("rbac.authorization.k8s.io", "RoleBinding", "rolebindings"),
    _stored("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", namespaced=False),
    _stored(
        "rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
    ),
    _stored("scheduling.k8s.io", "PriorityClass", "priorityclasses", "pc", namespaced=False),
    CUSTOM_RESOURCE_DEFINITION,
    _stored("coordination.k8s.io", "Lease", "leases"),
    _stored("", "PodTemplate", "podtemplates"),
    _stored("node.k8s.io", "RuntimeClass", "runtimeclasses", namespaced=False),
    _stored("storage.k8s.io", "CSIDriver", "csidrivers", namespaced=False),
    _stored(
        "storage.k8s.io",
        "VolumeAttributesClass",
        "volumeattributesclasses",
        "vac",
        namespaced=False,
    ),
    _stored(
        "certificates.k8s.io",
        "CertificateSigningRequest",
        "certificatesigningrequests",
        "csr",
        namespaced=False,
        status=True,
    ),
    _stored("apiregistration.k8s.io", "APIService", "apiservices", namespaced=False, status=True),
    *(
        _stored("admissionregistration.k8s.io", kind, plural, namespaced=False)
        for kind, plural in {
            "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
            "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
            "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
            "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
            "MutatingAdmissionPolicy": "mutatingadmissionpolicies",
            "MutatingAdmissionPolicyBinding": "mutatingadmissionpolicybindings",
        }.items()
    ),
)

_BY_GROUP_KIND = {(k.group, k.kind): k for k in KINDS}
_BY_RESOURCE = {(k.group, k.plural): k for k in KINDS}


def lookup(group: str, kind: str) -> Kind | None:
    """Return the known kind of that group and name."""
    return _BY_GROUP_KIND.get((group, kind))


def by_resource(group: str, plural: str) -> Kind | None:
    """Return the known kind that a REST path names."""
    return _BY_RESOURCE.get((group, plural))


def unknown(gvk: GroupVersionKind, *, namespaced: bool = True) -> Kind:
    """Describe a kind that is not in the table: stored and shown, never run."""
    lower = gvk.kind.lower()
    if lower.endswith(("s", "x", "ch", "sh")):
        plural = lower + "es"
    elif lower.endswith("y") and lower[-2:-1] not in "aeiou":
        plural = lower[:-1] + "ies"
    else:
        plural = lower + "s"
    return Kind(
        gvk.group, gvk.version, gvk.kind, plural, namespaced=namespaced, run=False, known=False
    )


def kind_of(obj: Object) -> Kind:
    """Return the kind of an object, described as ``unknown`` where the table lacks it."""
    gvk = GroupVersionKind.of(obj)
    return _BY_GROUP_KIND.get((gvk.group, gvk.kind)) or unknown(gvk)


def resolve(word: str) -> Kind | None:
    """Find a kind by what a user types, as kubectl takes it: ``TYPE[[.VERSION].GROUP]``.

    ``po``, ``pod``, ``pods``, ``Deployment``, ``deployments.apps``, ``deploy.v1.apps``.
    """
    name, _, rest = word.lower().partition(".")
    for kind in KINDS:
        if name in (kind.plural, kind.singular, *kind.short_names) and rest in (
            "", kind.group, f"{kind.version}.{kind.group}",
        ):  # fmt: skip
            return kind
    return None
