"""What was proven of alerts, as text and pictures: pure renderers of the report that `tocsin prove --json` prints."""
