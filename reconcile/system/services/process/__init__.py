"""The service manager `process`, for hosts without systemd and for users without root."""
