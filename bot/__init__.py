"""What a consultation is: retrieve, ground, answer, and remember what people thought of it."""
