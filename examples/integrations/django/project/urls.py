from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from guestbook.views import icon, page

urlpatterns = [
    path("", page),
    path("favicon.ico", icon),
    path("apps/", include("guestbook.urls")),
    path("admin/", admin.site.urls),
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
