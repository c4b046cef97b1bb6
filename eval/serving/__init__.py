"""Policies for others: harnesses, robots and programs ask over a WebSocket what one policy commands."""
