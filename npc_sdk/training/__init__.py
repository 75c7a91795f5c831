"""Makes the small demonstration model from nothing: a dialogue generator, a tokenizer, a trainer and an evaluation."""
