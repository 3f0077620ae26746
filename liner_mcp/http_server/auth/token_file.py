"""Authenticating by a file of tokens that may change at any moment.

The file is read again when it changes, so taking a line out locks its token out with the next request.
"""

from __future__ import annotations

import logging
import stat
from pathlib import Path

from liner_mcp.http_server.auth.bearer import INVALID, Rejection, bearer_token
from liner_mcp.http_server.auth.token_lines import VARIABLE, parse_entries, token_owner
from liner_mcp.reloading_file import ReloadingFile
from liner_mcp.server.caller import Caller

logger = logging.getLogger(__name__)


class TokenFile:
    """The callers whose tokens stand in the file.

    Raises: SettingsError, when it is made, for a file that cannot be used.
    """

    resource = None  # tokens come from the operator

    def __init__(self, path: Path) -> None:
        self._file = ReloadingFile(VARIABLE, path, parse_entries, check_mode=_check_permissions)
        if not self._file.content():
            logger.warning(
                "%s holds no token: everyone is refused. Make one with: liner-mcp token NAME --add", VARIABLE
            )

    async def identify(self, authorization: str | None) -> Caller | Rejection:
        entries = self._file.content()
        token = bearer_token(authorization)
        if isinstance(token, Rejection):
            return token
        name = token_owner(token, entries)
        return INVALID if name is None else Caller(name)


def _check_permissions(mode: int) -> None:
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        logger.warning(
            "%s can be written by others than its owner, who could let themselves in. Run chmod 600 on it.", VARIABLE
        )
    elif mode & stat.S_IROTH:
        logger.warning(
            "%s can be read by everyone on this machine: it tells names, though no tokens. Run chmod 600 on it.",
            VARIABLE,
        )
