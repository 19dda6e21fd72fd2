"""Desired state becomes changes, through any Client: source, render, validate, diff, plan, apply, health, engine (Argo CD, Flux)."""
