"""Tests of serving over HTTP; all of them through a real socket."""
