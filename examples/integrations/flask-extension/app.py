"""A Flask site with logins, and a Bokeh app that only logged-in users may open."""

import os
import secrets

from bokeh.layouts import column
from bokeh.models import Div, Slider
from flask import Flask, redirect, render_template, request, session, url_for
from flask_login import LoginManager, UserMixin, login_required, login_user, logout_user

import hotshoe
from hotshoe.integrations.flask import Hotshoe

PASSWORDS = {"ada": "engine", "grace": "compiler"}  # your site asks its database

site = Flask(__name__)
site.config.update(SECRET_KEY=os.environ.get("SECRET_KEY") or secrets.token_hex(), SESSION_COOKIE_SAMESITE="Lax")
logins = LoginManager(site)
logins.login_view = "login"
bokeh = Hotshoe(site)


class Person(UserMixin):
    def __init__(self, name):
        self.id = name


@logins.user_loader
def person(name):
    return Person(name) if name in PASSWORDS else None


@bokeh.app("/squares", title="Squares", decorators=[login_required])
def squares(doc):
    name = doc.session_context.user.name
    colour = doc.session_context.request.session["colour"]
    number = Slider(start=0, end=20, value=3, title="Number")
    note = Div(styles={"color": colour})

    def show(attr, old, new):
        note.text = f"{name}, the square of {new} is {new ** 2}"

    number.on_change("value", show)
    show("value", None, number.value)
    doc.add_root(column(number, note))


@site.route("/")
def home():
    return render_template("home.html")


@site.route("/login", methods=["GET", "POST"])
def login():
    name, password = request.form.get("name", ""), request.form.get("password", "")
    if secrets.compare_digest(PASSWORDS.get(name, "").encode(), password.encode()) and name in PASSWORDS:
        login_user(Person(name))
        session["colour"] = request.form.get("colour", "black")
        return redirect(url_for("home"))
    return render_template("login.html", is_wrong=request.method == "POST")


@site.post("/logout")
def logout():
    logout_user()
    return redirect(url_for("home"))


application = hotshoe.wrap(site)
