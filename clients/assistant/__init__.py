"""Calls for an assistant, by the Model Context Protocol (MCP): tools that list, find, read and follow calls.

Knows what an assistant asks for and gets. Does not know command lines, nor who the assistant is.
"""
