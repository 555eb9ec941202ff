"""``--auth basic``: users log in with a name and a password; the users file keeps their accounts."""
