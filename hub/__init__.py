"""Transcript Hub: live phone calls in, who said what out."""

__version__ = "0.1.0"
