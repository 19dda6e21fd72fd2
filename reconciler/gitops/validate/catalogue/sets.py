"""The catalogue's rules of references, of the runtime, of old versions, and of good practice."""

from reconciler.gitops.validate.catalogue.rule import (
    Rule,
    deployment,
    flat,
    ingress,
    job,
    pod,
    service,
    spec_of,
    workload,
)

_WEB = pod(
    meta="name: web, labels: {app: web}", container="ports: [{containerPort: 80, name: http}]"
)
_HPA = ("autoscaling/v2", "HorizontalPodAutoscaler")

REFERENCES = (
    Rule("reference/duplicate-object", "error", "One object a name",
         "Two documents describe the same object; the last would win.", flat("v1", "ConfigMap") + "---\n" + flat("v1", "ConfigMap")),
    Rule("reference/config-map", "error", "ConfigMaps that Pods use", "It is not in the set, nor in the cluster.",
         pod(container="envFrom: [{configMapRef: {name: settings}}]")),
    Rule("reference/config-map-key", "error", "Keys of ConfigMaps", "The ConfigMap is there, the key is not.",
         flat("v1", "ConfigMap", "data: {a: x}", meta="name: settings") + "---\n"
         + pod(container="env: [{name: A, valueFrom: {configMapKeyRef: {name: settings, key: b}}}]")),
    Rule("reference/secret", "error", "Secrets that Pods use", "It is not in the set, nor in the cluster.",
         pod(container="envFrom: [{secretRef: {name: password}}]")),
    Rule("reference/secret-key", "error", "Keys of Secrets", "The Secret is there, the key is not.",
         flat("v1", "Secret", "stringData: {a: x}", meta="name: password") + "---\n"
         + pod(container="env: [{name: A, valueFrom: {secretKeyRef: {name: password, key: b}}}]")),
    Rule("reference/image-pull-secret", "warning", "Secrets to pull images with",
         "It is not in the set: images that need it cannot be pulled.", pod("imagePullSecrets: [{name: registry}]")),
    Rule("reference/claim", "error", "Claims that Pods mount", "It is not in the set, nor in the cluster.",
         pod("volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]",
             container="volumeMounts: [{name: data, mountPath: /data}]")),
    Rule("reference/service-account", "warning", "Accounts of Pods", "It is not in the set.",
         pod("serviceAccountName: robot")),
    Rule("reference/service", "error", "Services",
         "An Ingress leads to, or a StatefulSet takes its names from, a Service that is not there.", ingress()),
    Rule("reference/service-port", "error", "Ports of Services", "The Service is there, the port is not.",
         _WEB + "---\n" + service() + "---\n" + ingress("/", "{service: {name: web, port: {number: 81}}}")),
    Rule("reference/service-headless", "warning", "The Service of a StatefulSet",
         "Its Pods get names of their own only from a headless Service: `clusterIP: None`.",
         service() + "---\n" + workload("apps/v1", "StatefulSet", "serviceName: web")),
    Rule("reference/selector", "warning", "Services that select nothing", "No Pod of the set has these labels.", service()),
    Rule("reference/target-port", "warning", "Named ports of Pods",
         "A Service sends to a port by name, and no Pod that it selects has a port of that name.",
         _WEB + "---\n" + service(ports="[{port: 80, targetPort: web}]")),
    Rule("reference/probe-port", "warning", "Named ports of probes", "The container has no port of that name.",
         pod(container="readinessProbe: {httpGet: {port: http}}")),
    Rule("reference/tls", "error", "Secrets of an Ingress", "It is not in the set, nor in the cluster.",
         _WEB + "---\n" + service() + "---\n"
         + ingress("/", "{service: {name: web, port: {number: 80}}}", "tls: [{secretName: cert, hosts: [a.example.com]}]")),
    Rule("reference/tls-type", "warning", "Types of TLS Secrets", "A Secret for TLS is of type kubernetes.io/tls.",
         _WEB + "---\n" + service() + "---\n" + flat("v1", "Secret", "stringData: {a: x}", meta="name: cert") + "---\n"
         + ingress("/", "{service: {name: web, port: {number: 80}}}", "tls: [{secretName: cert, hosts: [a.example.com]}]")),
    Rule("reference/ingress-conflict", "warning", "One backend a path",
         "Two Ingress rules have the same host, path and type, and lead to different backends.",
         _WEB + "---\n" + service() + "---\n" + service(ports="[{port: 81}]").replace("name: web", "name: api", 1) + "---\n"
         + ingress() + "---\n" + ingress("/", "{service: {name: api, port: {number: 81}}}").replace("name: web", "name: two", 1)),
    Rule("reference/node-port", "error", "Node ports of the set", "Two Services ask for the same port of the Nodes.",
         _WEB + "---\n" + service("type: NodePort", ports="[{port: 80, nodePort: 30080}]") + "---\n"
         + service("type: NodePort", ports="[{port: 80, nodePort: 30080}]").replace("name: web", "name: two", 1)),
    Rule("reference/scale-target", "error", "What autoscalers scale", "It is not in the set, nor in the cluster.",
         spec_of(*_HPA, "scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}", "maxReplicas: 3")),
    Rule("reference/scaled-replicas", "warning", "Replicas under an autoscaler",
         "A workload that an autoscaler scales says its replicas: every sync would set them back. Leave them out.",
         deployment("replicas: 2") + "---\n"
         + spec_of(*_HPA, "scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}", "maxReplicas: 3")),
    Rule("reference/storage-class", "warning", "Storage classes", "The claim asks for a class that is not in the set.",
         spec_of("v1", "PersistentVolumeClaim", "accessModes: [ReadWriteOnce]",
                 "resources: {requests: {storage: 1Gi}}", "storageClassName: fast")),
    Rule("reference/disruption-budget", "warning", "Budgets that protect nothing", "No Pod of the set has these labels.",
         spec_of("policy/v1", "PodDisruptionBudget", "minAvailable: 1", "selector: {matchLabels: {app: web}}")),
    Rule("reference/unmounted-volume", "warning", "Volumes without mounts", "No container mounts it.",
         pod("volumes: [{name: data, emptyDir: {}}]")),
    Rule("reference/pod-security", "error", "What a Namespace refuses",
         "The Namespace's label `pod-security.kubernetes.io/enforce` does not allow what the Pod asks for. Of a template it is a warning: "
         "the workload is taken, and its Pods are refused.",
         flat("v1", "Namespace", meta="name: shop, labels: {pod-security.kubernetes.io/enforce: baseline}") + "---\n"
         + pod("hostNetwork: true", meta="name: web, namespace: shop")),
    Rule("reference/namespace", "warning", "Namespaces",
         "The set brings Namespaces of its own, and this one is not among them: misspelt?",
         flat("v1", "Namespace", meta="name: shop") + "---\n" + flat("v1", "ConfigMap", meta="name: a, namespace: shpo")),
)  # fmt: skip

RUNTIME = (
    Rule(
        "runtime/not-honoured",
        "warning",
        "Fields that have no effect",
        "The runtime does not act on the field. It is kept, and a cluster that does would.",
    ),
    Rule(
        "runtime/host-port",
        "warning",
        "Ports of the host and rollouts",
        "Two Pods of one node cannot have the same port of the host: a rollout has a gap, or waits for ever.",
    ),
    Rule(
        "runtime/not-served",
        "warning",
        "What the proxy does not serve",
        "A protocol or a kind of backend that is not passed on here.",
    ),
    Rule(
        "runtime/kind-not-run",
        "info",
        "Kinds that are only stored",
        "Nothing here acts on the kind.",
    ),
)

DEPRECATIONS = (
    Rule("deprecation/removed", "error", "Versions that were removed",
         "The target version of Kubernetes does not serve this apiVersion any more.",
         "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: web}\nspec: {}\n"),
    Rule("deprecation/deprecated", "warning", "Versions that will be removed",
         "The target version still serves this apiVersion, a later one does not.",
         flat("v1", "Endpoints")),
    Rule("deprecation/annotation", "warning", "Annotations that became fields", "A field has taken the annotation's place.",
         ingress().replace("{name: web}", "{name: web, annotations: {kubernetes.io/ingress.class: nginx}}", 1)),
    Rule("deprecation/field", "warning", "Fields that became others", "Another field has taken its place.",
         pod("serviceAccount: robot")),
)  # fmt: skip

PRACTICES = (
    Rule("practice/readiness-probe", "off", "Readiness probes",
         "Without one a container that Services lead to counts as ready the moment it starts.", deployment()),
    Rule("practice/liveness-probe", "off", "Liveness probes", "Without one a container that hangs is never restarted.", deployment()),
    Rule("practice/memory-limit", "off", "Memory limits", "Without one a leak takes the whole Node.", pod()),
    Rule("practice/cpu-request", "off", "CPU requests", "Without one the scheduler cannot plan, and an autoscaler cannot scale.", pod()),
    Rule("practice/latest-tag", "off", "Tags of images",
         "`latest`, or no tag, is another image tomorrow.", pod().replace("nginx:1.27", "nginx:latest")),
    Rule("practice/run-as-root", "off", "Root in containers", "Say `runAsNonRoot: true`, or a user that is not 0.", pod()),
    Rule("practice/privileged", "off", "Privileged containers", "They are root on the Node.",
         pod(container="securityContext: {privileged: true}")),
    Rule("practice/plain-secret", "off", "Secrets in git",
         "Values of a Secret lie in the source, for everyone who can read it.", flat("v1", "Secret", "stringData: {password: x}")),
    Rule("practice/single-replica", "off", "Single replicas", "A restart of one Pod is an outage.", deployment("replicas: 1")),
    Rule("practice/job-time-to-live", "off", "Finished Jobs", "Without `ttlSecondsAfterFinished` they stay for ever.", job()),
)  # fmt: skip

RULES = (*REFERENCES, *RUNTIME, *DEPRECATIONS, *PRACTICES)
