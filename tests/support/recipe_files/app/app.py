"""The Flask app of the recipes: it shows what reaches it, and takes uploads."""

import os
import sqlite3
import time
from pathlib import Path

from flask import Flask, Response, abort, request

app = Flask(__name__, static_folder=None)
VERSION = "1"


@app.get("/")
def index() -> str:
    return f"<!doctype html><title>app</title><p>version {VERSION}</p>" + "<p>hello</p>" * 500


@app.get("/healthz")
def healthz() -> str:
    return "ok"


@app.get("/received")
def received() -> dict[str, str]:
    return {"url": request.url, "pid": str(os.getpid()), **dict(request.headers)}


@app.get("/status/<int:status>")
def status_of_its_own(status: int) -> Response:
    return Response("the app's own page", status)


@app.post("/size")
def size() -> str:
    return str(len(request.get_data()))


@app.post("/upload")
def upload() -> dict[str, str]:
    sent = request.files["file"]
    sent.save(Path("/var/www/myapp/media") / sent.filename)
    return {"filename": sent.filename}


@app.get("/download/<name>")
def download(name: str) -> Response:
    return Response(headers={"X-Accel-Redirect": f"/protected/{name}"})


@app.get("/environment/<name>")
def environment(name: str) -> str:
    return os.environ.get(name, "")


@app.get("/sleep/<int:seconds>")
def sleep(seconds: int) -> str:
    time.sleep(seconds)
    return "slept"


@app.post("/notes")
def notes() -> str:
    with sqlite3.connect(Path(__file__).parent / "instance/notes.db") as database:
        database.execute("create table if not exists notes (text)")
        database.execute("insert into notes values ('a')")
        return str(database.execute("select count(*) from notes").fetchone()[0])


@app.get("/<path:anything>")
def anything(anything: str) -> str:
    if anything.startswith(("static/", "media/")):
        abort(404)  # Nginx alone serves such files
    return f"app: {anything}"


@app.cli.command("cleanup")
def cleanup() -> None:
    print("cleaned up")
