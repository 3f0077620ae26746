#!/bin/sh
# Build the bundle that Claude Desktop installs with a click: bundle/build.sh [FOLDER]. It needs npm and uv.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-dist}
PATH="$PWD/.venv/bin:$PATH"

packer=bundle/node_modules/.bin/mcpb
[ -x "$packer" ] || npm install --loglevel=error --no-audit --no-fund --no-package-lock --prefix bundle
content=$(mktemp -d)
trap 'rm -rf "$content"' EXIT
cp -R bundle/manifest.json pyproject.toml README.md LICENSE liner_mcp liner_mcp/server/icon.png "$content"
find "$content" -name __pycache__ -prune -exec rm -r {} +
# With a lock and a version of Python, the host resolves nothing while it starts the server.
uv lock --quiet --project "$content"
echo 3.13 >"$content/.python-version"
"$packer" validate "$content/manifest.json"
mkdir -p "$folder"
"$packer" pack "$content" "$folder/liner-mcp.mcpb"
