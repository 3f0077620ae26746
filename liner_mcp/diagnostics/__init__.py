"""What `liner-mcp check --probe` runs: it examines a live Liner and compares it with what the code assumes."""
