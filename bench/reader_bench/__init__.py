"""What bench/reader.py compares: objects made from a seed, and the ways to read them."""
