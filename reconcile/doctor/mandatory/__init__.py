"""Mandatory access control: what SELinux and AppArmor forbid whatever modes and owners say."""
