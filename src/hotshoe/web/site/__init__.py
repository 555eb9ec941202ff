"""The site around the apps: a WSGI or ASGI app of the user, and its login."""
