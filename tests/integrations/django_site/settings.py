"""Django's settings in the tests' own process: once set, they are there for good."""

import atexit
import shutil
import tempfile
from pathlib import Path

_FOLDER = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)

SECRET_KEY = "of tests"
SECRET_KEY_FALLBACKS = ["of older tests"]
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
BASE_DIR = Path(__file__).parent
ROOT_URLCONF = "tests.integrations.django_site.urls"
ASGI_APPLICATION = "tests.integrations.django_site.asgi.application"
STATIC_URL = "static/"
USE_TZ = True
LOGIN_URL = "/login/"

INSTALLED_APPS = [
    "hotshoe.integrations.django",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    },
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": _FOLDER / "db.sqlite3"}}
