"""The errors, grouped by who can fix them.

A message is one or two sentences: what was wrong, with which argument or setting, and the next step. Messages are shown
to users unchanged, so they must not hold a token, the URL of a file, a stack trace, or foreign text of any length.

    LinerMcpError
    ├── RequestError            the caller can fix it
    │   ├── InvalidArgument       an argument, a cursor, a name
    │   └── NotFound              Liner knows no such id
    │       └── ForgottenId         it was forgotten on this server
    ├── SetupError              the operator can fix it
    │   ├── UsageError            an argument of the command line
    │   ├── SettingsError         a missing or unusable setting
    │   ├── WrongAddress          what answers at LINER_API_HOST is not Liner's API
    │   └── AccessRefused         Liner refuses the token, or a gateway in front of it refuses this machine
    ├── LinerError              Liner failed or refused
    │   ├── LinerRejected         Liner understood and refused
    │   ├── LinerUnavailable      Liner failed (5xx)
    │   ├── CircuitOpen           Liner is down, so no request is sent for some seconds
    │   ├── RateLimited           Liner asks to wait (429)
    │   ├── InvalidResponse       the answer is not what Liner documents
    │   ├── AudioUnavailable      a recording's file cannot be read, now or any more
    │   └── AudioRefused          a recording's link or file is not allowed
    └── NetworkError            the network between us and Liner
        ├── Unreachable           no connection, a broken one, or a timeout
        ├── ConnectionClosed      the server is stopping
        └── DeadlineExceeded      the time of one tool call is over
"""

from __future__ import annotations


class LinerMcpError(Exception):
    """The base class of all errors that this package raises on purpose."""


class RequestError(LinerMcpError):
    """The caller can fix it with another request."""


class InvalidArgument(RequestError):
    """An argument cannot be used. The message names it and says what to send."""


class NotFound(RequestError):
    """Liner says that it has no such id: its own JSON with HTTP 404 or 410, or an empty success."""


class ForgottenId(NotFound):
    """The call or record was forgotten on this server, so that nothing of it is shown."""


class SetupError(LinerMcpError):
    """The operator can fix it. A retry does not help."""


class UsageError(SetupError):
    """An argument of the command line cannot be used. The message names it, and the process ends with 2."""


class SettingsError(SetupError):
    """A setting is missing or unusable. The message names the variable."""


class WrongAddress(SetupError):
    """LINER_API_HOST is not the address of Liner's API: a documented path is missing there or redirects elsewhere."""


class AccessRefused(SetupError):
    """Liner refuses the token (HTTP 401 or 403), or something in front of Liner refuses this machine."""


class LinerError(LinerMcpError):
    """Liner failed or refused. `retry_after` is the wait in seconds that it asked for, if it did."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LinerRejected(LinerError):
    """Liner read the request and refused it (HTTP 4xx, or `success` false)."""


class LinerUnavailable(LinerError):
    """Liner failed (HTTP 5xx)."""


class CircuitOpen(LinerError):
    """Liner answered neither the last requests nor its health check. The message says when to ask again."""


class RateLimited(LinerError):
    """Liner asks to slow down (HTTP 429)."""


class InvalidResponse(LinerError):
    """The answer is not the documented JSON: a web page of a proxy, a broken body, a missing field."""


class AudioUnavailable(LinerError):
    """A recording's file is gone, forbidden or not ready, or its host failed. The message does not show the link.

    `transient` says whether a retry may help.
    """

    def __init__(self, message: str, *, transient: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.transient = transient


class AudioRefused(LinerError):
    """A recording's link or file is not allowed, because of its address, its size or its format."""


class NetworkError(LinerMcpError):
    """The network between this server and Liner failed."""


class Unreachable(NetworkError):
    """No connection, a broken one, or a timeout. `transient` says whether a retry may help."""

    def __init__(self, message: str, *, transient: bool = True) -> None:
        super().__init__(message)
        self.transient = transient


class ConnectionClosed(NetworkError):
    """The connections to Liner were closed during a request, because the server is stopping."""


class DeadlineExceeded(NetworkError):
    """The time of one tool call is over and there is nothing to show."""
