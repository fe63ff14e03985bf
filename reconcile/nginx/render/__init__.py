"""A site's configuration file, written: canonical blocks, every value quoted."""
