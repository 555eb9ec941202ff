from django.http import HttpResponse
from django.shortcuts import render


def page(request):
    return render(request, "page.html")


def icon(request):
    """Browsers ask for one; this site has none."""
    return HttpResponse(status=204)
