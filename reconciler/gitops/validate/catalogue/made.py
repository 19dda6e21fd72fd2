"""The catalogue's rules of what makes manifests: values, Kustomize, Helm, variables and encrypted files."""

from reconciler.gitops.validate.catalogue.rule import Rule

RULES = (
    Rule("plan/order", "error", "An order that can be kept", "Objects wait for one another in a circle, or for a later wave."),
    Rule("values/missing", "error", "Values files that are there", "A values file that cannot be read, or is not in the source."),
    Rule("values/type", "error", "Values are one mapping", "A values file is one document, with a mapping at its top."),
    Rule("values/too-large", "error", "Large values files", "A values file outside of the source is larger than 5 MiB."),
    Rule("kustomize/failed", "error", "Kustomizations that build", "Kustomize refused to build; its own words say why."),
    Rule("kustomize/missing", "error", "Files that a kustomization names", "It names a file that is not in the source."),
    Rule("kustomize/outside", "error", "Kustomizations stay inside", "It names something outside of the source."),
    Rule("kustomize/remote", "error", "Kustomizations of the network", "It names an address: nothing is fetched while manifests are made."),
    Rule("kustomize/not-installed", "error", "Kustomize", "The source is a kustomization, and neither kustomize nor kubectl is installed."),
    Rule("helm/failed", "error", "Charts that render", "Helm refused to render the chart; its own words say why."),
    Rule("helm/not-installed", "error", "Helm", "The source is a Helm chart, and helm is not installed."),
    Rule("substitute/undefined", "error", "Variables that are given", "`${NAME}` has no value, and no default; a warning where the text may mean something else."),
    Rule("substitute/syntax", "error", "How variables are written", "`${` begins a variable that is not closed, or asks for what there is not."),
    Rule("substitute/number", "error", "Numbers from variables", "A variable makes a number that no API can hold."),
    Rule("sops/not-decrypted", "warning", "Encrypted Secrets", "There is no key here to decrypt it with: what it holds is not checked."),
    Rule("sops/not-a-secret", "warning", "What is encrypted", "An object that is no Secret: what is decrypted of it is shown wherever the object is."),
    Rule("sops/no-key", "error", "Keys of encrypted files", "None of the keys given here opens the file."),
    Rule("sops/no-metadata", "error", "Encrypted files are whole", "A value is encrypted, and the file's `sops` section, which says how, is missing."),
    Rule("sops/malformed", "error", "Encrypted files can be read", "The `sops` section, or an encrypted value, is not what sops writes."),
    Rule("sops/mac", "error", "Encrypted files are unchanged", "The file's checksum is missing or of another text: somebody edited it without sops."),
    Rule("sops/tampered", "error", "Encrypted values are unchanged", "A value cannot be decrypted with the file's key: it was changed, or moved."),
    Rule("sops/not-encrypted", "error", "Values that must be encrypted", "The file's own rules encrypt this value, and it stands in plain text."),
    Rule("sops/unsupported", "error", "Ways to encrypt", "The file needs more than an age key: key groups, or a service of another kind."),
)  # fmt: skip
