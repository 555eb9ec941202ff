from hotshoe.integrations.django import get_asgi_application

application = get_asgi_application()
