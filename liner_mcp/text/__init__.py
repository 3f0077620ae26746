"""Cleans and masks free text. Pure functions."""
