"""The engine's own process: how it is started, talked to, and started again."""
