"""reconcile: desired state for web apps behind Nginx and Gunicorn."""

__version__ = "0.1.0"
