"""Unattended operation: saved plans, drift checks, schedules and pulls."""
