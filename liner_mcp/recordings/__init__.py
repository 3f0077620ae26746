"""Downloads the audio file of a recording, from links that are not trusted."""
