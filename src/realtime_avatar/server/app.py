"""The web application: the page, its routes, and what operators ask for."""

from importlib.resources import as_file, files
from typing import Final

from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime_avatar import __version__
from realtime_avatar.server.avatars import MAX_BYTES
from realtime_avatar.server.openai_routes import openai_router
from realtime_avatar.server.refusals import refuse_in_words
from realtime_avatar.server.rest import rest_router
from realtime_avatar.server.routes import router
from realtime_avatar.server.service import Service
from realtime_avatar.server.socket import socket_router

# No request leaves for another host. Pictures from blobs are portraits before their upload.
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; worker-src 'self';"
    " style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:;"
    " connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'self'",
    "Permissions-Policy": "microphone=(self), autoplay=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # A new version is used at once; what has not changed is not sent again.
    "Cache-Control": "no-cache",
}


def create_app(service: Service) -> FastAPI:
    """Return the application that serves a loaded service."""
    app = FastAPI(title="Realtime Avatar", version=__version__, docs_url=None, redoc_url=None)
    app.state.service = service
    app.include_router(router)
    app.include_router(rest_router)
    app.include_router(openai_router)
    app.include_router(socket_router)
    _operate(app, service)
    _serve_page(app)
    refuse_in_words(app)
    app.add_middleware(_Headers)
    if service.settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=service.settings.origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Content-Type"],
        )
    return app


def _operate(app: FastAPI, service: Service) -> None:
    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "alive", "version": __version__}

    @app.get("/ready")
    async def ready() -> JSONResponse:
        places = service.calls.places
        body = {"status": "ready" if places else "full", "places": places}
        return JSONResponse(body, 200 if places else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(
            service.metrics.text(), headers={"Content-Type": service.metrics.content_type}
        )

    _ = health, ready, metrics


def _serve_page(app: FastAPI) -> None:
    with as_file(files("realtime_avatar") / "web") as folder:
        app.mount("/web", StaticFiles(directory=folder))

        @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
        async def page() -> FileResponse:
            return FileResponse(folder / "index.html")

        _ = page


class _Headers:
    """Adds the headers that every answer has, and refuses bodies that are too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message if size <= MAX_BYTES else {"type": "http.disconnect"}

        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MAX_BYTES:
            answer = JSONResponse({"error": f"more than {MAX_BYTES // 1_000_000} MB"}, 413)
            await answer(scope, receive, with_headers)
            return
        await self._app(scope, limited, with_headers)
