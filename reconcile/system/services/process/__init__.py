"""The service manager `process`: a sandbox without systemd, for the demo and without root."""
