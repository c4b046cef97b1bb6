"""Policies behind a wire: ``vla-eval://HOST:PORT``, ``openpi://HOST:PORT`` and ``http://HOST:PORT/act``."""

from policies.remote.policy import RemotePolicy as RemotePolicy
