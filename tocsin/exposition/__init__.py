"""One `/metrics` body, judged: would a server keep it, is it to the letter, does it make sense."""
