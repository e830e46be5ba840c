"""Programs and a library for people who talk to a hub: play a call into it, follow one, watch them all."""
