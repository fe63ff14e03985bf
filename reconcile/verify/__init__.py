"""Proof by request: the probes and the checklist."""
