"""Uploads in pieces by the script, which resume after a cut. Without the script a file comes with its form."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, abort, jsonify, request

from engine.services.applications.attachments import receive_piece, received
from engine.storage.files.resumable_uploads import LARGEST, LARGEST_PIECE
from renderers.web.platform.access import dossier_page
from renderers.web.platform.dossier_context import DossierContext
from renderers.web.platform.request_context import actor, app_ctx, asker, client

blueprint = Blueprint("resumable_uploads", __name__)

_SHORTEST: Final = 32


@dossier_page(blueprint, "/envois/<key>.json", unproven=True)
def so_far(one: DossierContext, key: str) -> Response:
    """Return as JSON how many bytes of an upload were received. Answers 404 for a malformed key."""
    return jsonify({"received": received(app_ctx(), actor(), one.id, _known(key))})


@dossier_page(blueprint, "/envois/<key>.json", "POST", unproven=True)
def receive(one: DossierContext, key: str) -> Response:
    """Store one piece that starts at the byte `at`. Returns as JSON the bytes received so far."""
    at = request.args.get("at", "")
    if not (at.isascii() and at.isdigit() and len(at) <= len(str(LARGEST))):
        abort(400)
    if (request.content_length or 0) > LARGEST_PIECE or int(at) >= LARGEST:
        abort(413)
    data = request.get_data(cache=False)
    return jsonify(
        {"received": receive_piece(app_ctx(), actor(), one.id, _known(key), int(at), data, client(), asker().browser)}
    )


def _known(key: str) -> str:
    """Return a key that has the form of the script's keys. Answers 404 otherwise."""
    if not _SHORTEST <= len(key) <= 64 or set(key) - set("0123456789abcdef"):
        abort(404)
    return key
