"""Sends a site's probes to the host, and checks the responses."""
