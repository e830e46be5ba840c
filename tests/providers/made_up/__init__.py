"""A provider that does not exist, whole: settings, wire, transcriber, probe, descriptor and a server to talk to.

It shows what a provider is made of. In the hub these files would be a folder of `hub/vendors`.
"""
