"""The node agent: one Pod becomes a sandbox and containers, and its status."""
