"""The command line: one file a command, each parses, calls once, shows, and exits."""
