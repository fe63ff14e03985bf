"""The app that the stories of releases deploy: its page names its version, and a file of it."""

from __future__ import annotations

_APP = """
import time
from flask import Flask, request
{start}
app = Flask(__name__)

@app.get("/")
def index():
    {page}
    return "<html><link rel=stylesheet href=/static/{asset}>version {version}"

@app.get("/healthz")
def healthz():
    return "", {ready}

@app.get("/slow")
def slow():
    time.sleep(0.7)
    return "slowly"
"""


def flask_release(
    version: str,
    asset: str,
    *,
    routes: str,
    start: str = "",
    page: str = "pass",
    ready: int = 200,
) -> str:
    """The code of a version that links to /static/`asset`.

    `start` and `page` are code that runs as it starts, and before the page is sent; `ready` is
    the status of /healthz, and `routes` what it has beside these.
    """
    text = _APP.format(start=start, page=page, asset=asset, version=version, ready=ready)
    return text + routes
