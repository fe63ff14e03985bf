"""Compose files, as far as the mounts of a service go. Source: the Compose Specification."""
