"""Authentication of HTTP requests: bearer tokens from a file or from an OAuth issuer."""
