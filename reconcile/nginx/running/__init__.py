"""The nginx of this host: discovery, configuration test, reload and loaded configuration."""
