"""The model server: chat with adapters by name, and embeddings, behind an OpenAI-compatible interface."""
