"""What the world knows: keyed entries and passages, and one search over them."""
