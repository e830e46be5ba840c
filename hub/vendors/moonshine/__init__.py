"""Moonshine: the speech engine that runs on this machine, without an account."""
