"""A small Flask app that takes uploads, as it should be in production.

Nginx serves /static/ and /media/; Flask only makes their URLs.
"""

import os
from pathlib import Path
from uuid import uuid4

from flask import Flask, abort, render_template, request
from werkzeug.datastructures import FileStorage
from werkzeug.utils import secure_filename

SHOWN = 20

app = Flask(__name__)
app.config["UPLOAD_FOLDER"] = os.environ.get("UPLOAD_FOLDER", "/var/www/myapp/media")
app.config["MAX_CONTENT_LENGTH"] = 20 * 1024 * 1024


@app.get("/")
def index() -> str:
    return render_template("index.html", names=newest_uploads())


@app.post("/upload")
def upload_file() -> tuple[dict[str, str], int]:
    sent = request.files.get("file")
    name = secure_filename(sent.filename or "") if sent else ""
    if sent is None or not name:
        abort(400, "Send a file in the form field 'file'.")
    name = saved(sent, name)
    return {"filename": name, "url": f"/media/{name}"}, 201


def saved(sent: FileStorage, name: str) -> str:
    """Save under `name`, or beside it where another upload has that name; return the name."""
    folder = Path(app.config["UPLOAD_FOLDER"])
    stem, ending = os.path.splitext(name)
    while True:
        try:
            with (folder / name).open("xb") as file:
                sent.save(file)
            return name
        except FileExistsError:
            name = f"{stem}-{uuid4().hex[:8]}{ending}"


def newest_uploads() -> list[str]:
    """The names of the latest uploads, newest first."""
    with os.scandir(app.config["UPLOAD_FOLDER"]) as entries:
        files = [entry for entry in entries if entry.is_file() and not entry.name.startswith(".")]
    files.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
    return [entry.name for entry in files[:SHOWN]]
