"""Kernels in C for x86-64: four-bit products and attention. build.py compiles them, library.py finds them."""
