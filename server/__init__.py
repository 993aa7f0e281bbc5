"""The inference server and the command line: everything that needs torch, rasterio and sockets."""
