"""From logits to text to events: sampling, tool dialects, stream parsing. Knows no engine and no session."""
