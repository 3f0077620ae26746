"""Review call-centre recordings kept in Liner (linerapp.io) from an AI assistant."""

__version__ = "0.2.0"
