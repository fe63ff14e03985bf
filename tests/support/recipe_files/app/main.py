"""An ASGI app without a framework: it greets, and echoes what comes over a WebSocket."""


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["type"] == "http":
        await greet(scope, send)


async def greet(scope, send):
    plain = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": plain})
    body = f"asgi: {scope['scheme']} {scope['path']}".encode()
    await send({"type": "http.response.body", "body": body})


async def echo(receive, send):
    while (event := await receive())["type"] != "websocket.disconnect":
        if event["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "websocket.send", "text": f"echo {event['text']}"})
