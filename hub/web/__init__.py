"""The doors: one file each. They know aiohttp; nothing below them does."""
