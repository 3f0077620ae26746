"""What a converter must keep of a tool: its words, and each parameter with all that the published schema says of it.

Dialects spell the same differently: Gemini writes `STRING` for `string`, and 100.0 for 100. That is no loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BOUNDS = ("minimum", "maximum", "minItems", "maxItems")


def differences(tool: dict[str, Any], definition: dict[str, Any], dropped: frozenset[str]) -> list[str]:
    """What of `tool` is missing or changed in `definition`. Keywords in `dropped` the converter has never kept."""
    found = [f"{key} changed" for key in ("name", "description") if definition.get(key) != tool[key]]
    return found + _of_node(tool["inputSchema"], definition.get("parameters") or {}, "parameters", dropped)


def _of_node(published: dict[str, Any], converted: dict[str, Any], path: str, dropped: frozenset[str]) -> list[str]:
    found: list[str] = []
    if str(converted.get("type")).lower() != str(published.get("type")).lower():
        found.append(f"{path}: type {published.get('type')} became {converted.get('type')}")
    if converted.get("enum") != published.get("enum"):
        found.append(f"{path}: enum {published.get('enum')} became {converted.get('enum')}")
    if published.get("description", "") not in converted.get("description", ""):
        found.append(f"{path}: the description is lost")
    for key in BOUNDS:
        kept = converted.get(key)
        if key not in dropped and (None if kept is None else float(kept)) != published.get(key):
            found.append(f"{path}: {key} {published.get(key)} became {kept}")
    # Strict dialects require every parameter, so more may be required than was.
    needed = converted.get("required") or ()
    found += [f"{path}: {name} is not required" for name in published.get("required", ()) if name not in needed]
    return found + _of_parts(published, converted, path, dropped)


def _of_parts(published: dict[str, Any], converted: dict[str, Any], path: str, dropped: frozenset[str]) -> list[str]:
    parts: Mapping[str, Any] = published.get("properties", {})
    kept: Mapping[str, Any] = converted.get("properties") or {}
    found = [f"{path}.{name} is invented" for name in kept if name not in parts]
    for name, part in parts.items():
        found += _of_node(part, kept[name], f"{path}.{name}", dropped) if name in kept else [f"{path}.{name} is lost"]
    if "items" in published:
        found += _of_node(published["items"], converted.get("items") or {}, f"{path}[]", dropped)
    return found
