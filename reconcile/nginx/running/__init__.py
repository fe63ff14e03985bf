"""The nginx of this host: found, asked about a plan, reloaded, and proven live."""
