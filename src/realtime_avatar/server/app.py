"""The web application: the page, its routes, and what operators ask for."""

from collections.abc import Mapping
from importlib.resources import as_file, files
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime_avatar import __version__
from realtime_avatar.server.conversations import conversations
from realtime_avatar.server.document import complete_document
from realtime_avatar.server.door import Door
from realtime_avatar.server.guard import COOKIE, GUARDED, Guard, needs_keys
from realtime_avatar.server.keys import Keys, keys_file
from realtime_avatar.server.openai_routes import openai_router
from realtime_avatar.server.ranges import Ranges
from realtime_avatar.server.refusals import refuse_in_words
from realtime_avatar.server.rest import rest_router
from realtime_avatar.server.routes import router
from realtime_avatar.server.service import Service
from realtime_avatar.server.socket import socket_router
from realtime_avatar.server.voices import router as voices_router

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
_HTTPS: Final = {"Strict-Transport-Security": "max-age=31536000"}
_REMEMBERED: Final = 30 * 86_400  # seconds that a browser keeps a key


def create_app(service: Service) -> FastAPI:
    """Return the application that serves a loaded service."""
    app = FastAPI(title="Realtime Avatar", version=__version__, docs_url=None, redoc_url=None)
    app.state.service = service
    app.include_router(router)
    app.include_router(rest_router)
    app.include_router(openai_router)
    app.include_router(socket_router)
    app.include_router(conversations)
    app.include_router(voices_router)
    _operate(app, service)
    _serve_page(app)
    refuse_in_words(app)
    settings = service.settings
    complete_document(app, GUARDED, needs_keys=needs_keys(settings))
    keys = Keys(keys_file(settings.keys))
    app.add_middleware(Ranges)
    app.add_middleware(Door, admission=service.admission)
    app.add_middleware(Guard, settings=settings, keys=keys)
    always = _HEADERS | (_HTTPS if settings.tls_cert else {})
    app.add_middleware(_Headers, headers=always)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Range"],
            expose_headers=["Content-Location", "Content-Range", "Retry-After"],
        )
    return app


def _operate(app: FastAPI, service: Service) -> None:
    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "alive", "version": __version__}

    full = {503: {"description": "No place for a conversation is free."}}

    @app.get("/ready", responses={**full})
    async def ready() -> JSONResponse:
        places = service.calls.places
        body = {"status": "ready" if places else "full", "places": places}
        return JSONResponse(body, 200 if places else 503)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(
            service.metrics.text(), headers={"Content-Type": service.metrics.content_type}
        )

    _ = health, ready, metrics


def _serve_page(app: FastAPI) -> None:
    with as_file(files("realtime_avatar") / "web") as folder:
        app.mount("/web", StaticFiles(directory=folder))

        @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
        async def page(request: Request, key: str = "") -> Response:
            if not key:
                return FileResponse(folder / "index.html")
            # The key leaves the address, and so the history, at once.
            answer = RedirectResponse("./", 303)
            https = request.url.scheme == "https"
            answer.set_cookie(
                COOKIE, key, _REMEMBERED, httponly=True, samesite="strict", secure=https
            )
            return answer

        _ = page


class _Headers:
    """Adds the headers that every answer has."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app, self._headers = app, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
