"""The errors, grouped by who can fix them.

Every error is one or two finished sentences: what was wrong, with what, and the next step. They are written where the
fact is known and shown as they are, so none may hold a token, a URL of a file, a stack, or foreign text of unknown
length.

    LinerMcpError
    ├── RequestError            the caller can fix it
    │   ├── InvalidArgument       an argument, a cursor, a name
    │   └── NotFound              Liner knows no such id
    ├── SetupError              the operator can fix it
    │   ├── SettingsError         a missing or unusable setting
    │   ├── WrongAddress          what answers at LINER_API_HOST is not Liner's API
    │   └── AccessRefused         Liner refuses the token, or a gateway in front of it refuses this machine
    ├── LinerError              Liner itself
    │   ├── LinerRejected         Liner understood and refused
    │   ├── LinerUnavailable      Liner failed (5xx)
    │   ├── CircuitOpen           Liner is down, so no request is sent for some seconds
    │   ├── RateLimited           Liner asks to wait
    │   ├── InvalidResponse       the answer is not what Liner documents
    │   ├── AudioUnavailable      a recording's file cannot be had (now, or any more)
    │   └── AudioRefused          a recording's file is not one that we fetch or pass on
    └── NetworkError            the way to Liner
        ├── Unreachable           no connection, or it broke, or it was too slow
        ├── ConnectionClosed      we closed it ourselves meanwhile
        └── DeadlineExceeded      the time of one tool call is used up
"""

from __future__ import annotations


class LinerMcpError(Exception):
    """The root: catch this to catch everything the package raises on purpose."""


class RequestError(LinerMcpError):
    """The caller can fix it by asking differently."""


class InvalidArgument(RequestError):
    """An argument cannot be used as it is; the message names it and says what to send."""


class NotFound(RequestError):
    """Liner itself says that it has nothing under this id (its own JSON with HTTP 404 or 410, or an empty success)."""


class SetupError(LinerMcpError):
    """The operator can fix it; asking again changes nothing."""


class SettingsError(SetupError):
    """A setting is missing or unusable; the message names the variable."""


class WrongAddress(SetupError):
    """LINER_API_HOST does not lead to Liner's API: a documented path does not exist there, or redirects elsewhere."""


class AccessRefused(SetupError):
    """Liner refuses the token (HTTP 401 or 403), or something in front of Liner refuses this machine."""


class LinerError(LinerMcpError):
    """Liner is at fault, or says no."""


class LinerRejected(LinerError):
    """Liner read the request and refused it (HTTP 4xx, or `success` false)."""


class LinerUnavailable(LinerError):
    """Liner failed (HTTP 5xx). `retry_after` is the wait it asked for, in seconds, when it said so."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class CircuitOpen(LinerError):
    """Liner answered neither the last requests nor its health check. The message says when to ask again."""


class RateLimited(LinerError):
    """Liner asks to slow down (HTTP 429). `retry_after` is in seconds, None when Liner did not say."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InvalidResponse(LinerError):
    """The answer is not the documented JSON: a proxy's page, a broken body, a missing promised field."""


class AudioUnavailable(LinerError):
    """A recording's file is gone, forbidden, not ready, or its host fails. The message never shows the link."""


class AudioRefused(LinerError):
    """A recording's link or file is not let through: its address, its size, its format."""


class NetworkError(LinerMcpError):
    """Neither side is at fault: the way between them is."""


class Unreachable(NetworkError):
    """No connection, a broken one, or an answer that took too long. `transient` says whether a retry may help."""

    def __init__(self, message: str, *, transient: bool = True) -> None:
        super().__init__(message)
        self.transient = transient


class ConnectionClosed(NetworkError):
    """The connections to Liner were closed here while something was asked: the server is ending."""


class DeadlineExceeded(NetworkError):
    """The time that one tool call may take is used up and there is nothing to show."""
