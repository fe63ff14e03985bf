"""The folder of one version of an app: filled from a source, then read-only."""
