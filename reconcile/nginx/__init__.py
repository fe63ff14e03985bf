"""Nginx understood as Nginx does: its files, which location answers, with which headers."""
