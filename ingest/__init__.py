"""How a document becomes knowledge, and stops being knowledge when it is gone."""
