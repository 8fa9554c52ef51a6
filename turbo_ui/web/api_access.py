"""Who may use the API under /v1: those with the key, or, without one, this machine alone."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request

from turbo_ui.settings import Settings
from turbo_ui.web.api_errors import ApiError
from turbo_ui.web.guard import (
    ASK_FOR_KEY,
    address_of,
    holds_key,
    is_logged_in,
    is_origin_allowed,
)

FORWARDED = ("x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip")
"""A proxy names who really asks."""


@dataclass(frozen=True)
class Access:
    """Decides by the settings; counts nothing and keeps nothing."""

    settings: Settings

    def check(self, request: Request) -> None:
        """Lets the request pass.

        Raises:
            ApiError: it may not.
        """
        settings, headers = self.settings, request.headers
        if settings.api == "off":
            raise ApiError(404, "This server offers no API (TURBO_UI_API is off).", "api_off")
        hosts = [headers.get("host", ""), headers.get("x-forwarded-host", "")]
        if not is_origin_allowed(headers.get("origin"), hosts, settings.origins):
            raise ApiError(403, "Pages of other sites may not use this API.", "origin")
        if settings.api == "open":
            return
        if settings.api_key is not None:
            self._check_key(headers.get("authorization", ""), settings.api_key.get_secret_value())
        elif settings.login is not None:
            if not is_logged_in(request.scope["app"], request.cookies):
                raise self._closed("This server asks for a login.")
        elif not self._is_this_machine(request):
            raise self._closed("This server answers other machines only with a key.")

    def _check_key(self, authorization: str, key: str) -> None:
        if holds_key(authorization, key):
            return
        if not authorization:
            text = "No API key was sent. Send it as: Authorization: Bearer KEY"
        else:
            text = "Incorrect API key provided."
        raise ApiError(401, text, "invalid_api_key", headers=ASK_FOR_KEY)

    def _closed(self, reason: str) -> ApiError:
        text = f"{reason} Whoever runs it can set one with TURBO_UI_API_KEY."
        return ApiError(401, text, "invalid_api_key", headers=ASK_FOR_KEY)

    def _is_this_machine(self, request: Request) -> bool:
        """It listens here only, is asked from here, and under a name that means here.

        The name matters: a foreign site may point its own name to this machine, and a browser would
        let its pages through.
        """
        if any(name in request.headers for name in FORWARDED):
            return False
        try:
            host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        except ValueError:
            return False
        return all(is_local(name) for name in (self.settings.host, address_of(request), host))


def is_local(host: str) -> bool:
    """Whether a name or address means this very machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
