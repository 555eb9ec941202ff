"""What a Django site says of its apps: tags, settings, checks."""

from __future__ import annotations

from tests.integrations.django_site.ready import SETTINGS, urls

# isort: split
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, RequestContext, Template, TemplateSyntaxError
from django.test import RequestFactory, override_settings
from django.urls import set_script_prefix
from django.urls.exceptions import NoReverseMatch
from django.utils.functional import SimpleLazyObject

from hotshoe.config import Settings
from hotshoe.integrations.django import get_asgi_application
from hotshoe.integrations.django.apps import check_runserver, check_settings, hotshoe_settings

# -- tags


def render(text: str, **context: Any) -> str:
    return str(Template("{% load hotshoe %}" + text).render(Context(context)))


@pytest.fixture
def prefix() -> Iterator[Callable[[str], None]]:
    yield set_script_prefix
    set_script_prefix("/")


def test_tags() -> None:
    assert '<bokeh-app src="/hello">' in render('{% bokeh_app "/hello" %}')
    assert '<bokeh-app src="/apps/mine?n=3&amp;m=a+b">' in render(
        '{% bokeh_app name="mine" n=3 arguments=more %}', more={"m": "a b"}).replace("m=a+b&amp;n=3", "n=3&amp;m=a+b")
    assert 'src="https://example.org/a"' in render('{% bokeh_app "https://example.org/a" %}')
    assert '<script src="/hello/embed.js" async></script>' in render('{% url "hello" as u %}{% bokeh_app u %}')


def test_tags_below_a_prefix(prefix: Callable[[str], None]) -> None:
    prefix("/site/")
    for text in ('{% bokeh_app "/hello" %}', '{% bokeh_app name="hello" %}', '{% url "hello" as u %}{% bokeh_app u %}'):
        assert '<bokeh-app src="/site/hello">' in render(text)


def test_tags_that_are_wrong() -> None:
    with pytest.raises(TemplateSyntaxError, match="takes the path"):
        render("{% bokeh_app %}")
    with pytest.raises(NoReverseMatch):
        render('{% bokeh_app name="nobody" %}')
    assert "<b>" not in render("{% bokeh_app u %}", u='/"><b>'.replace(" ", ""))


def test_tags_carry_the_nonce() -> None:
    assert '<script src="/a/embed.js" async nonce="abc"></script>' in render('{% bokeh_app "/a" %}', csp_nonce="abc")
    request = RequestFactory().get("/")
    request.csp_nonce = "def"
    text = Template('{% load hotshoe %}{% bokeh_app "/a" %}').render(RequestContext(request))
    assert 'nonce="def"' in text


def test_a_nonce_that_is_made_when_it_is_asked_for() -> None:
    nonce = lazy_nonce()
    text = render('{% bokeh_app "/a" %}', csp_nonce=nonce)
    assert len(str(nonce)) > 5
    assert f'nonce="{nonce}"' in text


def lazy_nonce() -> Any:
    """Django 6's, which is false until somebody reads it."""
    try:
        from django.utils.csp import LazyNonce
    except ImportError:
        return SimpleLazyObject(lambda: secrets.token_urlsafe(16))
    return LazyNonce()


# -- settings and checks


def test_settings() -> None:
    first = hotshoe_settings()
    assert first.secret_key is not None
    assert "of tests" not in first.secret_key
    assert len(first.old_secret_keys) == 1
    with override_settings(HOTSHOE={"threads": 8, "secret_key": "k" * 40}):
        assert hotshoe_settings() == Settings(threads=8, secret_key="k" * 40)
    with override_settings(SECRET_KEY="of older tests", SECRET_KEY_FALLBACKS=[]):
        assert hotshoe_settings().secret_key == first.old_secret_keys[0]


@pytest.mark.parametrize(("given", "words"), [
    ({"thread": 8}, "thread"), ({"threads": "many"}, "threads"), (["threads"], "a dict"), ({3: 4}, "strings"),
])
def test_settings_that_are_wrong(given: Any, words: str) -> None:
    with override_settings(HOTSHOE=given):
        with pytest.raises(ImproperlyConfigured, match=f"^HOTSHOE.*{words}") as error:
            get_asgi_application()
        assert "\n" not in str(error.value)
        assert [message.id for message in check_settings()] == ["hotshoe.E001"]
    assert not check_settings()


def test_checks_of_runserver() -> None:
    assert not check_runserver()
    with override_settings(ASGI_APPLICATION=None):
        assert [message.id for message in check_runserver()] == ["hotshoe.W002"]
    names = [*settings.INSTALLED_APPS]
    with override_settings(INSTALLED_APPS=[names.pop(), *names]):
        (message,) = check_runserver()
    assert message.id == "hotshoe.W001"
    assert "before 'django.contrib.staticfiles'" in str(message.hint)


# -- the docs


def test_the_docs_are_a_site(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/integrations.md").read_text(encoding="utf-8")
    section = text.partition("\n## Django\n")[2].partition("\n## ")[0]
    settings_py, urls_py, asgi_py = re.findall(r"^```py\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    (tags,) = re.findall(r"^```html\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    (tmp_path / "app.py").write_text("x = 1\n")
    names: dict[str, Any] = {}
    exec(settings_py, names)
    site = urls()
    with override_settings(BASE_DIR=tmp_path, HOTSHOE=names["HOTSHOE"], ROOT_URLCONF=site):
        exec(urls_py, site.__dict__)
        exec(asgi_py, names)
        assert set(names["application"].apps) == {"/hello", "/sliders"}
        assert '<bokeh-app src="/sliders?region=north">' in Template(tags).render(Context())


def test_commands_need_no_bokeh() -> None:
    """``manage.py migrate`` and its like start as fast as without."""
    code = "import sys, django; django.setup(); import hotshoe.integrations.django as h; " \
           "from django.urls import get_resolver; get_resolver().url_patterns; print('bokeh' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, **SETTINGS, "PYTHONPATH": str(Path(__file__).parents[2])})
    assert done.stdout.strip() == "False"
