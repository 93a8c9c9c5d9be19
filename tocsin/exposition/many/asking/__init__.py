"""Ask one target what one scrape cannot tell. Nothing is judged here."""
