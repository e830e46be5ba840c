"""Audio files and sample rates: recordings in, telephone audio out, and telephone audio at a device's rate.

Knows file formats, sample rates and 20 ms frames. Does not know Twilio, sockets or devices.
"""
