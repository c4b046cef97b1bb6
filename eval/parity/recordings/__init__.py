"""Is our world the one of the recordings?"""
