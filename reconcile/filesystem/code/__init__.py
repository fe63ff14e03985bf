"""The code that a process is made of: which files count, and what they hold."""
