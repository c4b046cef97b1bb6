"""The messages of policy servers: bytes to values and back. Pure functions, shared by the client (``policies/remote``) and the
server (``eval/serving``); no sockets, nothing is ever unpickled, and every limit is checked before memory is taken.
"""
