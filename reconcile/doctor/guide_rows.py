"""The rows of the guide to static and media files that the rules cover; keys as in `Rule`."""

from __future__ import annotations

from collections.abc import Mapping

COMMON_CAUSES = {
    "CC1": "root where alias belongs",
    "CC2": "a trailing slash is missing in location or alias",
    "CC3": "files were never copied",
    "CC4": "uploads are saved elsewhere",
    "CC5": "permission denied",
    "CC6": "requests reach Gunicorn instead of the files",
    "CC7": "the app's URLs are not those that nginx serves",
    "CC8": "files lie in a release directory",
}
DEBUGGING = {
    "DB1": "nginx -t: syntax errors",
    "DB2": "nginx -T: duplicate server blocks",
    "DB3": "nginx -T: locations are missing",
    "DB4": "nginx -T: wrong alias paths",
    "DB5": "error log: 404 for missing files",
    "DB6": "error log: 403 by permissions",
    "DB7": "access log: static or media requests handled unexpectedly",
    "DB8": "ls: missing files",
    "DB9": "namei: unreadable parent directories",
    "DB10": "namei: wrong ownership",
    "DB11": "local request: 200",
    "DB12": "local request: 404, mapping or file",
    "DB13": "local request: 403, permissions",
    "DB14": "Gunicorn log: upload write failures",
    "DB15": "Gunicorn log: wrong paths in the app",
    "DB16": "Gunicorn log: static URLs handled by the app",
}
CHECKLIST = {
    "CL1": "/static/ is mapped by alias to the right directory",
    "CL2": "/media/ is mapped by alias to the right directory",
    "CL3": "static files are in the production directory",
    "CL4": "uploads are written to the production directory",
    "CL5": "nginx can read both directories",
    "CL6": "the app can write to the media directory",
    "CL7": "nginx -t passes",
    "CL8": "a direct request to /static/ returns 200",
    "CL9": "a direct request to /media/ returns 200",
    "CL10": "paths are kept across deployments",
}
STEPS = {"ST12": "SELinux or service restrictions"}
SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Common Causes": COMMON_CAUSES,
    "Debugging Section": DEBUGGING,
    "Checklist": CHECKLIST,
    "Step-by-Step Guide": STEPS,
}
ROWS: Mapping[str, str] = {
    key: f"{section}: {text}" for section, rows in SECTIONS.items() for key, text in rows.items()
}
BEYOND = "beyond the guide"


def guide_source(rows: tuple[str, ...]) -> str:
    """The rows as a finding shows them."""
    return "; ".join(ROWS[row] for row in rows) or BEYOND
