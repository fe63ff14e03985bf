"""A model of nginx: its files, which location answers a request, and with which headers."""
