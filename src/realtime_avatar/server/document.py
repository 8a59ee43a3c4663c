"""What the OpenAPI document says besides what FastAPI finds out: keys, and more examples."""

from typing import Any, Final

from fastapi import FastAPI

_KEY: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key of `avatar keys create`. Nobody on the server's own machine needs one.",
}
_FORM: Final = "multipart/form-data"


def like(example: Any) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route whose answer is JSON like an example."""
    return {200: {"content": {"application/json": {"example": example}}}}


def complete_document(app: FastAPI, guarded: tuple[str, ...], *, needs_keys: bool) -> None:
    """Add to an application's document what is missing there.

    Args:
        app: With all its routes.
        guarded: Where the paths begin for which keys are.
        needs_keys: Whether whoever asks must show one.
    """
    found = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = found()
            document["components"]["securitySchemes"] = {"key": _KEY}
            security: list[dict[str, list[str]]] = [{"key": []}]
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    if path.startswith(guarded):
                        operation["security"] = security if needs_keys else [*security, {}]
                    _exemplify(operation, document["components"]["schemas"])
        return app.openapi_schema or {}

    app.openapi = (
        openapi  # as FastAPI's documentation says; pyright: ignore[reportAttributeAccessIssue]
    )


def _exemplify(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Make an example of a form from those of its fields."""
    form = operation.get("requestBody", {}).get("content", {}).get(_FORM)
    if form is not None:
        fields = schemas[form["schema"]["$ref"].rpartition("/")[2]]["properties"]
        form["example"] = {
            name: field["examples"][0] for name, field in fields.items() if "examples" in field
        }
