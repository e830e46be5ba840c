"""A program that uses the library which follows calls, and nothing else."""

from clients.follow import follow

assert follow
