"""The tools that read call records and their summaries."""
