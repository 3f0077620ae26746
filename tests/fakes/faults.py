"""What can go wrong with Liner, as parameters: what happens, to which requests, and how often. Pure rules.

What each kind does to an answer is in `fault_injection`. `FAULTS` names each kind, with ordinary parameters.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from random import Random

# How often ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Every:
    """Every nth request; all of them by default."""

    nth: int = 1


@dataclass(frozen=True, slots=True)
class Share:
    """This share of the requests, drawn by the seed: the same ones every time."""

    share: float
    seed: int = 1


@dataclass(frozen=True, slots=True)
class First:
    """The first so many requests, then never again."""

    count: int


Frequency = Every | Share | First


def occurs(often: Frequency, number: int) -> bool:
    """Whether a fault occurs at the request of this number, counted from 1 among those that it fits."""
    if isinstance(often, First):
        return number <= often.count
    if isinstance(often, Share):
        return Random(f"{often.seed} {number}").random() < often.share  # noqa: S311 - chance, not a secret
    return number % often.nth == 0


# What happens to an answer --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Latency:
    """The answer comes this many seconds late; infinitely late, it never comes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Status:
    """Liner fails or asks to wait. `retry_after` is sent as it is; a time span becomes an HTTP date so far from now."""

    status: int
    retry_after: str | timedelta | None = None


@dataclass(frozen=True, slots=True)
class WebPage:
    """Something in front of Liner answers for it."""

    status: int
    html: str


@dataclass(frozen=True, slots=True)
class Refused:
    """`success` is false, yet the status says 200."""

    message: str


@dataclass(frozen=True, slots=True)
class Body:
    """These very bytes instead of the answer."""

    body: bytes
    status: int = 200


@dataclass(frozen=True, slots=True)
class Truncated:
    """The first half of the JSON, and its length is told as if that were all."""


@dataclass(frozen=True, slots=True)
class NotANumber:
    """The first number of the JSON is NaN, which JSON does not know."""


@dataclass(frozen=True, slots=True)
class Charset:
    """The text in another encoding than UTF-8, with a Cyrillic message so that it makes a difference."""

    name: str


@dataclass(frozen=True, slots=True)
class Slow:
    """The body drips, a piece every so many seconds; without end it goes on in spaces for ever."""

    seconds: float
    ends: bool = True


@dataclass(frozen=True, slots=True)
class Huge:
    """A JSON text of so many megabytes, made piece by piece."""

    megabytes: int


@dataclass(frozen=True, slots=True)
class Bomb:
    """A small body that unpacks to so many megabytes; `layers` times compressed."""

    megabytes: int
    layers: int = 1


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go elsewhere; without an address, to where it was asked."""

    location: str = ""


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection breaks in the middle of the body."""


# What happens to a list -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grows:
    """The list gains a row per request, so many in all; the first request sees none of them."""

    rows: int


@dataclass(frozen=True, slots=True)
class Shrinks:
    """The list loses a row per request, so many in all; the first request sees all of them."""

    rows: int


@dataclass(frozen=True, slots=True)
class Repeats:
    """Every page but the first begins with the last row of the page before, and lacks one of its own."""


@dataclass(frozen=True, slots=True)
class Total:
    """`total` is so many times the truth; None leaves it out."""

    times: float | None


@dataclass(frozen=True, slots=True)
class Ignores:
    """Parameters of the query that are not applied, and nobody says so."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clamped:
    """A page has at most so many rows, and `next` is where the requested page would have ended."""

    rows: int


@dataclass(frozen=True, slots=True)
class NullRows:
    """The first row of every page is null."""


@dataclass(frozen=True, slots=True)
class OddCells:
    """Every seventh row has values of another kind."""


@dataclass(frozen=True, slots=True)
class AsObjects:
    """Lists are objects whose keys are numbers, with gaps."""


ResponseFault = (
    Latency
    | Status
    | WebPage
    | Refused
    | Body
    | Truncated
    | NotANumber
    | Charset
    | Slow
    | Huge
    | Bomb
    | Redirect
    | Reset
)
ListFault = Grows | Shrinks | Repeats | Total | Ignores | Clamped | NullRows | OddCells | AsObjects
FaultKind = ResponseFault | ListFault


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens, where (a regular expression found in path and query; empty is everywhere), and how often."""

    kind: FaultKind
    pattern: str = ""
    frequency: Frequency = Every()

    def fits(self, target: str) -> bool:
        return re.search(self.pattern, target) is not None


# Every kind once ------------------------------------------------------------------------------------------------------

_ERROR_PAGE = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    "<hr><center>nginx/1.24.0</center>\r\n</body>\r\n</html>\r\n"
)
_MISSING_PAGE = "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>default backend</body>\r\n</html>\r\n"
_FIREWALL_PAGE = "<!DOCTYPE html><html><head><title>Access denied</title></head><body>Just a moment...</body></html>"
_LOGIN_PAGE = (
    '<!DOCTYPE html>\n<html lang="ru"><head><meta charset="utf-8"><title>Вход</title></head><body>'
    '<form method="post" action="/login"><input name="email"><input name="password" type="password"></form>'
    "</body></html>"
)
_DEEP = 10_000
_HOUR = timedelta(hours=1)

FAULTS: dict[str, FaultKind] = {
    "a late answer": Latency(0.02),
    "no answer at all": Latency(math.inf),
    "a slow body": Slow(0.002),
    "a body that never ends": Slow(0.002, ends=False),
    "429, wait some seconds": Status(429, "1"),
    "429, wait until a date": Status(429, timedelta(seconds=1)),
    "429, wait an hour": Status(429, _HOUR),
    "429, wait until an hour ago": Status(429, -_HOUR),
    "429, no word on waiting": Status(429),
    "429, nonsense on waiting": Status(429, "soon, perhaps"),
    "500": Status(500),
    "502": Status(502),
    "503": Status(503),
    "503, wait some seconds": Status(503, "1"),
    "503, wait an hour": Status(503, "3600"),
    "502 with a web page": WebPage(502, _ERROR_PAGE),
    "200 with a login page": WebPage(200, _LOGIN_PAGE),
    "403 with a web page": WebPage(403, _FIREWALL_PAGE),
    "404 with a web page": WebPage(404, _MISSING_PAGE),
    "200 with a refusal": Refused("Превышен лимит запросов для вашего тарифа, обратитесь в поддержку."),
    "204": Body(b"", 204),
    "truncated JSON": Truncated(),
    "JSON that is a list": Body(b"[]"),
    "JSON that is a number": Body(b"42"),
    "JSON with NaN": NotANumber(),
    "JSON nested too deep": Body(b'{"success":true,"message":"","data":' + b"[" * _DEEP + b"]" * _DEEP + b"}"),
    "the wrong charset": Charset("cp1251"),
    "a huge body": Huge(100),
    "a gzip bomb": Bomb(200),
    "a gzip bomb in a gzip bomb": Bomb(200, layers=2),
    "a redirect to another host": Redirect("https://elsewhere.invalid/v2/"),
    "a redirect loop": Redirect(),
    "a reset connection": Reset(),
    "a list that grows": Grows(3),
    "a list that shrinks": Shrinks(3),
    "rows that repeat": Repeats(),
    "a total too big": Total(1.5),
    "a total too small": Total(0.4),
    "no total": Total(None),
    "pages of 20, next beyond them": Clamped(20),
    "null rows": NullRows(),
    "odd cells": OddCells(),
    "lists as objects": AsObjects(),
    "an ignored filter": Ignores(("createdAt", "orderIds", "leadIds", "userIds", "statusIds")),
    "an ignored callId": Ignores(("callId",)),
    "an ignored limit": Ignores(("limit",)),
    "an ignored offset": Ignores(("offset",)),
}
