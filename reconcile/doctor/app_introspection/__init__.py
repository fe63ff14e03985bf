"""Imports the code of an app in a sandbox, and reads the settings that it reports."""
