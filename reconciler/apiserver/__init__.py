"""The HTTP skin over a Client: Kubernetes REST paths, watch, tables, subresources. Knows no registry and no runtime."""
