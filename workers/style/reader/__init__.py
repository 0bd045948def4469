"""How the reader that ships is made: what it learns from, training, examination and model card."""
