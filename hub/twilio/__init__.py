"""Everything Twilio defines: Media Streams messages, TwiML, request signatures, the REST API.

Knows Twilio's formats and addresses. Does not know what the hub does with a call.
"""
