from flask import Flask, jsonify

app = Flask(__name__, static_folder=None)


@app.get("/api/hello")
def hello():
    return jsonify(message="hello")


@app.get("/")
def index():
    return jsonify(see="/api/hello")
