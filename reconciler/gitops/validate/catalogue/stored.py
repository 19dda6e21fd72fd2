"""The catalogue's rules of kinds that are checked and stored, and that nothing here runs."""

from reconciler.gitops.validate.catalogue.rule import Rule, flat, spec_of

_RBAC = "rbac.authorization.k8s.io/v1"
_CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
_HOOKS = ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")

RULES = (
    Rule("rule/role", "error", "What a role allows",
         "Verbs, and either API groups with resources or (in a ClusterRole) non-resource URLs.",
         flat(_RBAC, "Role", 'rules: [{apiGroups: [""], verbs: [get]}]')),
    Rule("rule/role-binding", "error", "Whom a binding gives a role to",
         "A Role or ClusterRole, and Users, Groups and ServiceAccounts; a ServiceAccount has a namespace, also in a RoleBinding.",
         flat(_RBAC, "RoleBinding", f"roleRef: {{apiGroup: {_RBAC[:-3]}, kind: Role, name: reader}}",
              "subjects: [{kind: ServiceAccount, name: web}]")),
    Rule("rule/webhook", "error", "Admission webhooks",
         "Names of three parts, each once; a Service or an https URL; whole rules; a time limit of 1 to 30 seconds.",
         flat(*_HOOKS, "webhooks:", "  - name: images.example.com", "    clientConfig: {url: http://example.com}",
              "    sideEffects: None", "    admissionReviewVersions: [v1]")),
    Rule("rule/custom-kind", "error", "CustomResourceDefinitions",
         "Its name is PLURAL.GROUP; one version is the stored one; every version has a structural schema.",
         spec_of(*_CRD, "group: example.com", "names: {plural: carts, kind: Cart}", "scope: Namespaced",
                 "versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]")),
    Rule("rule/quota", "error", "Resource quotas", "Resources that can be counted, and amounts that are not negative.",
         spec_of("v1", "ResourceQuota", "hard: {replicas: 4}")),
    Rule("rule/limit-range", "error", "Limit ranges", "Each type once; min ≤ defaultRequest ≤ default ≤ max.",
         spec_of("v1", "LimitRange", "limits: [{type: Container, min: {cpu: 2}, max: {cpu: 1}}]")),
    Rule("rule/priority-class", "error", "Priority classes", "At most 1000000000; names that begin with system- are taken.",
         flat("scheduling.k8s.io/v1", "PriorityClass", "value: 2000000000")),
    Rule("rule/runtime-class", "error", "Runtime classes", "The handler is an RFC 1123 label.",
         flat("node.k8s.io/v1", "RuntimeClass", "handler: Kata_1")),
)  # fmt: skip
