"""``--auth oidc``: OpenID Connect providers, and GitHub."""
