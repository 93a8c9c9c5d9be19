"""What was seen of one target over many scrapes, as it is judged."""
