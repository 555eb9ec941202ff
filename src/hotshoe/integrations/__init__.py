"""Apps inside Flask, Django and Tornado sites. (Other frameworks mount ``hotshoe.asgi``.)"""
