"""The errors for refusals, each with the setting to check. Pure.

By its documentation, Liner answers with its own JSON, errors included (/devs/api/request-schema). So another body comes
from something else: a firewall, a proxy, a gateway, or another program at that address.
"""

from __future__ import annotations

from liner_mcp.errors import AccessRefused, LinerRejected, WrongAddress

# How errors name a body that is not Liner's JSON.
WEB_PAGE, NO_JSON = "a web page instead of JSON", "text that is not valid JSON"
TOO_LONG = (413, 414, 431, 494)  # 494 is nginx's own, for long headers
CHECK_HOST = "check that LINER_API_HOST is the API's host"


def access_refused(status: int, instead: str | None, said: str) -> AccessRefused:
    """HTTP 401, 403, 407 or 451: Liner refuses the token or names another reason, or a gateway refuses this machine.

    `instead` names the body if it is not Liner's JSON. `said` is Liner's message, quoted, or empty.
    """
    if status == 407:
        return AccessRefused(
            "A proxy on the way to Liner needs a user name and a password (HTTP 407). Write them into the address of "
            "the proxy, in HTTPS_PROXY or ALL_PROXY."
        )
    if instead == WEB_PAGE:
        return AccessRefused(
            f"Something in front of Liner (a firewall, a proxy or a gateway) refuses this machine: HTTP {status} with "
            f"{instead}. Allow this machine there, and {CHECK_HOST}."
        )
    if instead is not None:
        return AccessRefused(
            f"HTTP {status} came with {instead}, so it is probably a firewall, a proxy or a gateway in front of Liner "
            "that refuses this machine. Check it and LINER_API_HOST, then LINER_API_TOKEN."
        )
    if said:  # the message may name more than one cause, so it is quoted
        return AccessRefused(
            f"Liner refuses access (HTTP {status}): {said}. Check what it names: LINER_API_TOKEN, its rights and "
            "allowed addresses in Liner, or LINER_API_HOST."
        )
    return AccessRefused(
        f"Liner does not accept the token (HTTP {status}). Check LINER_API_TOKEN and that LINER_API_HOST is the "
        "host this token belongs to."
    )


def nothing_at(path: str, status: int, instead: str | None, said: str) -> WrongAddress:
    """HTTP 404 or 410 for a path without an id. `instead` and `said` are as in `access_refused`."""
    if instead is not None:
        return WrongAddress(
            f"LINER_API_HOST does not lead to Liner's API: HTTP {status} with {instead} at {path}. Check its spelling "
            "and its port, and which proxy or gateway answers there."
        )
    quote = f": {said}" if said else ""
    return WrongAddress(f"Liner's API has nothing at {path} (HTTP {status}){quote}. Please {CHECK_HOST}.")


def request_too_long(status: int) -> LinerRejected:
    """A status of `TOO_LONG` with another body than Liner's JSON: the address is right, and the request is too long."""
    return LinerRejected(
        f"The request is too long for Liner, or for a gateway in front of it (HTTP {status}). Ask for fewer orders, "
        "leads or agents at once."
    )


def login_needed() -> AccessRefused:
    """HTTP 511, which only a network sends that wants a login first (RFC 6585, section 6)."""
    return AccessRefused(
        "The network of this machine wants a login before it lets requests through (HTTP 511). Log in to it with a "
        "web browser on this machine."
    )
