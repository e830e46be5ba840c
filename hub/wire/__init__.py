"""What the other sides say, word for word: text in, typed messages out. No asyncio, sockets, clock or logging."""
