# liner-mcp over HTTP. It listens on every address, so it starts only when authentication (LINER_MCP_TOKENS_FILE or
# LINER_MCP_OAUTH_ISSUER) and the allowed host names (LINER_MCP_ALLOWED_HOSTS) are set. See docs/deployment.md.

# The base is named by its tag and not by a digest: a digest keeps old Debian packages until it is replaced, while each
# release builds the image anew from what the tag names by then, with its security fixes.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY liner_mcp ./liner_mcp
# Everything that runs is in one folder. It is compiled here, because the final image is read-only. pip is not copied.
RUN python -m venv --without-pip /opt/liner-mcp \
    && pip --python /opt/liner-mcp install --no-cache-dir ".[archive,otel,pace,postgres]"

FROM python:3.13-slim
# The registry of MCP servers compares it with the name in server.json.
LABEL io.modelcontextprotocol.server.name="io.github.liner-mcp/liner-mcp"
COPY --from=build /opt/liner-mcp /opt/liner-mcp
ENV PATH=/opt/liner-mcp/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# A number, so that an orchestrator can see that it is not root. This user owns nothing and needs no write access.
USER 10001:10001
EXPOSE 8080
# http.client ignores proxies. urllib would use the proxy that containers often have in their environment.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", "from http.client import HTTPConnection as H; c = H('127.0.0.1', 8080, timeout=4); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["liner-mcp"]
CMD ["serve", "--http", "0.0.0.0:8080"]
