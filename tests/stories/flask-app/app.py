"""The guide's app: a page, a stylesheet, an upload form."""

import os

from flask import Flask, request
from werkzeug.utils import secure_filename

app = Flask(__name__)
app.config["UPLOAD_FOLDER"] = os.environ.get("UPLOAD_FOLDER", "/var/www/myapp/media")


@app.get("/")
def index() -> str:
    return '<link rel="stylesheet" href="/static/css/app.css">'


@app.post("/upload")
def upload_file() -> tuple[dict[str, str], int]:
    file = request.files["file"]
    filename = secure_filename(file.filename or "unnamed")
    file.save(os.path.join(app.config["UPLOAD_FOLDER"], filename))
    return {"filename": filename}, 201
