"""The same network as :mod:`policies.phi3v.model`, laid out for speed: fixed shapes, few and large kernels, CUDA graphs.

It shares the weights of a loaded model and works on any device; what only a GPU has (Triton kernels, graphs) is added there.
Sequences stand at the left of their rows with padding behind them, so that causal attention alone keeps them apart from the
padding, and every row of a batch is worked on by itself.
"""
