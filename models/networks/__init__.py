"""Networks, one architecture a file, and the weights they start from."""
