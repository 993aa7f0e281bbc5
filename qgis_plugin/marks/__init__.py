"""Drawing: the tools, the marks and the locked regions, their files and layers."""
