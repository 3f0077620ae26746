"""The rubrics that come with the package, as TOML files: the server reads them without the extra `review`."""
