"""Rendering of a site's configuration file, with every value quoted."""
