"""Shared by all ways to log in: logins in cookies, forms, pages, logging out."""
