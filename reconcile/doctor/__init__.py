"""Diagnose a host: one rule per kind of fault, each with evidence and a fix."""
