"""OpenAI's Realtime API: a voice model that answers calls."""
