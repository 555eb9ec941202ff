"""What happens to sessions, as lines of the file that HOOKS names: what, process, session."""

import os
from pathlib import Path


def note(what, session=""):
    with Path(os.environ["HOOKS"]).open("a", encoding="utf-8") as file:
        file.write(f"{what} {os.getpid()} {session}\n")


def on_server_loaded(context):
    note("loaded")


def on_server_unloaded(context):
    note("unloaded")


def on_session_created(context):
    note("created", context.id)


def on_session_destroyed(context):
    note("destroyed", context.id)
