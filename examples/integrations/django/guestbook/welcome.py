"""An app that is a script: it greets who has logged in, and counts without holding up a thread."""

from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Button, Div

from guestbook.models import Entry

document = curdoc()
user = document.session_context.user
groups = ", ".join(sorted(user.groups)) or "no groups"
words = Div(text=f"Welcome, {user.name}. You are in: {groups}.")
button = Button(label="Count")


async def count():
    words.text = f"{user.name}, there are {await Entry.objects.acount()} entries."


button.on_click(lambda: document.add_next_tick_callback(count))
document.add_root(column(words, button))
