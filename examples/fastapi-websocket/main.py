"""A page, a WebSocket that echoes, and an API."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse

app = FastAPI()
PAGE = """<!doctype html>
<html lang="en">
<title>A chat</title>
<link rel="icon" href="data:,">
<h1>A chat</h1>
<p id="answer">connecting</p>
<script src="/static/chat.js"></script>
</html>
"""


@app.get("/")
def page() -> HTMLResponse:
    return HTMLResponse(PAGE)


@app.get("/api/time")
def now() -> dict[str, str]:
    return {"status": "ok"}


@app.websocket("/ws")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text(f"echo: {await socket.receive_text()}")
    except WebSocketDisconnect:
        pass
