"""What the checks of a scrape's sense know of the field: units, secrets, identifiers, and whose a metric is."""
