"""The style loop: approved rewrites in, an adapter that says the same facts in the house's voice out."""
