"""What a file says: one reader a kind, each of which turns content into a `Reading`. Readers run in the sandbox."""
