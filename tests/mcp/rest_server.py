# SPDX-License-Identifier: Apache-2.0
"""A REST interface on FastAPI, which writes its own OpenAPI document:   rest_server.py

It listens on a free port and says its address on standard output, then each request on a line.
Below /echo/ it answers with what it was sent.
"""
import asyncio
import base64
import json
import socket
from typing import Annotated, Literal

import uvicorn
from fastapi import Cookie, FastAPI, Form, Header, Query, Request, Response, UploadFile
from fastapi.responses import PlainTextResponse, RedirectResponse
from pydantic import BaseModel

app = FastAPI(title="Pets", version="3.1")
pets = {1: {"id": 1, "name": "Rex", "tags": ["good"]}}
ended = []
tokens = []


class Owner(BaseModel):
    name: str
    friend: "Owner | None" = None


class Pet(BaseModel):
    name: str
    kind: Literal["cat", "dog"] = "dog"
    owner: Owner | None = None
    tags: list[str] = []


@app.get("/pets/{pet_id}", operation_id="getPet", summary="One pet")
def get_pet(pet_id: int) -> dict:
    if pet_id not in pets:
        return Response('{"detail":"no such pet"}', 404, media_type="application/json")
    return pets[pet_id]


@app.get("/pets")
def list_pets(tag: Annotated[list[str], Query()] = [], limit: int = 10) -> list:
    return [pet for pet in pets.values() if not tag or set(tag) & set(pet["tags"])][:limit]


@app.post("/pets", operation_id="add pet!", status_code=201)
def add_pet(pet: Pet) -> dict:
    pets[len(pets) + 1] = {"id": len(pets) + 1, **pet.model_dump()}
    return pets[len(pets)]


@app.delete("/pets/{pet_id}", operation_id="drop", status_code=204)
def drop(pet_id: int):
    pets.pop(pet_id, None)


@app.get("/names/{name}", operation_id="name")
def name_of(name: str) -> dict:
    return {"name": name}


@app.get("/heads", operation_id="heads")
def heads(x_trace: Annotated[str | None, Header()] = None,
          flavour: Annotated[str | None, Cookie()] = None) -> dict:
    return {"trace": x_trace, "flavour": flavour}


@app.post("/form", operation_id="form")
def form(name: Annotated[str, Form()], colour: Annotated[list[str], Form()] = []) -> dict:
    return {"name": name, "colour": colour}


@app.post("/files", operation_id="upload")
async def upload(file: UploadFile, note: Annotated[str, Form()] = "") -> dict:
    return {"type": file.content_type, "bytes": base64.b64encode(await file.read()).decode(),
            "note": note}


@app.get("/text", operation_id="text", response_class=PlainTextResponse)
def text() -> str:
    return "plain\nwords"


@app.get("/image", operation_id="image")
def image() -> Response:
    return Response(b"\x89PNG\0", media_type="image/png")


@app.get("/deep", operation_id="deep")
def deep(levels: int) -> Response:
    return Response('{"a":' * levels + "1" + "}" * levels, media_type="application/json")


@app.get("/large", operation_id="large")
def large() -> Response:
    return Response(b"x" * (5 << 20), media_type="text/plain")


@app.get("/away", operation_id="away")
def away() -> Response:
    return RedirectResponse("http://127.0.0.1:1/secret")


@app.get("/slow", operation_id="slow")
async def slow(request: Request) -> dict:
    while not await request.is_disconnected():
        await asyncio.sleep(0.02)
    ended.append("slow")
    return {}


@app.get("/ended", operation_id="ended")
def what_ended() -> dict:
    return {"ended": ended}


@app.get("/more", operation_id="more", include_in_schema=False)
def more() -> dict:
    """From now on the document has another operation."""
    app.openapi_schema = None
    next(route for route in app.routes if route.path == "/more").include_in_schema = True
    return {}


@app.get("/foreign.json", include_in_schema=False)
def foreign(request: Request) -> dict:
    """A document that names another host: this one, by another name."""
    return {"openapi": "3.0.0", "servers": [{"url": f"http://localhost:{request.url.port}"}],
            "paths": {"/echo/f": {"get": {"operationId": "f"}}}}


@app.get("/moved/{times}", include_in_schema=False)
def moved(times: int) -> Response:
    return RedirectResponse(f"/moved/{times - 1}" if times > 1 else "../openapi.json")


@app.get("/strayed", include_in_schema=False)
def strayed(request: Request) -> Response:
    return RedirectResponse(f"http://localhost:{request.url.port}/found-by-another-name")


@app.post("/token", include_in_schema=False)
async def token(request: Request) -> dict:
    """Of a client's own account: each time another one."""
    print(json.dumps({"token": (await request.body()).decode()}), flush=True)
    tokens.append(f"t{len(tokens) + 1}")
    return {"access_token": tokens[-1], "token_type": "Bearer", "expires_in": 3600}


@app.get("/guarded", operation_id="guarded", include_in_schema=False)
def guarded(authorization: Annotated[str, Header()] = "") -> Response:
    """Takes all tokens but the first."""
    if authorization[7:] not in tokens[1:]:
        return Response("who?", 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return Response(json.dumps({"with": authorization}), media_type="application/json")


@app.api_route("/echo/{path:path}", include_in_schema=False,
               methods=["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"])
async def echo(request: Request) -> dict:
    """What it was sent, as it was written."""
    return {"method": request.method, "path": request.scope["raw_path"].decode(),
            "query": request.url.query, "headers": dict(request.headers),
            "body": (await request.body()).decode("latin-1")}


async def said(scope, receive, send):
    if scope["type"] == "http" and not scope["path"].startswith("/openapi"):
        print(json.dumps({"method": scope["method"], "path": scope["raw_path"].decode(),
                          "query": scope["query_string"].decode(),
                          "headers": {k.decode(): v.decode("latin-1")
                                      for k, v in scope["headers"]}}), flush=True)
    await app(scope, receive, send)


listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
uvicorn.Server(uvicorn.Config(said, log_level="error")).run(sockets=[listener])
