"""Names the plugin, so that a checkout behaves as an installed Tocsin does; nothing else belongs here."""

pytest_plugins = ["tocsin_pytest"]
