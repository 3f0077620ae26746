"""Finds and masks phone numbers in free text. Pure functions."""
