"""Each way in which Panel runs code, and what it says about its session."""

import asyncio
import threading

import panel as pn

pn.extension(notifications=True)

said = {}


def line(name):
    said[name] = pn.widgets.StaticText(name=name, value="-")
    return said[name]


def say(name, text):
    said[name].value = text


async def awaits(event):
    say("awaited", "begun")
    await asyncio.sleep(0.1)
    say("awaited", "done")


async def yields(n):
    yield f"begun with {n}"
    await asyncio.sleep(0.1)
    yield f"done with {n}"


def holds(event):
    with pn.io.hold():
        for count in range(5):
            say("held", str(count))
    say("after", "the hold")


def unlocks(event):
    with pn.io.unlocked():
        say("unlocked", "in a callback")


async def unlocks_and_awaits(event):
    with pn.io.unlocked():
        say("coroutine", "unlocked")
    await asyncio.sleep(0.05)
    with pn.io.hold():
        say("coroutine", "held")


@pn.io.with_lock
async def keeps_the_lock(event):
    await asyncio.sleep(0.05)
    say("locked", "yes")


def starts_a_thread(event):
    def work():
        for count in range(20):
            say("thread", str(count))

    threading.Thread(target=work).start()


def executes(event):
    pn.state.execute(lambda: say("executed", "now"))
    pn.state.execute(lambda: say("scheduled", "later"), schedule=True)


def notifies(event):
    pn.state.notifications.success("Well done", duration=0)


def adds(event):
    added.append(pn.widgets.TextInput(name=f"input {len(added)}"))


async def ticks():
    await asyncio.sleep(0)
    counter.value = str(int(counter.value) + 1)


async def loads():
    await asyncio.sleep(0)
    say("loaded", "too")


def button(name, callback):
    made = pn.widgets.Button(name=name)
    made.on_click(callback)
    return made


slider = pn.widgets.IntSlider(name="n", start=0, end=10, value=3)
pn.state.location.sync(slider, {"value": "n"})
counter = pn.widgets.StaticText(name="counter", value="0")
added = pn.Column(counter)
pn.state.onload(lambda: say("onload", "fired"))
pn.state.onload(loads)
pn.state.add_periodic_callback(ticks, 50, count=4)

arguments = pn.state.session_args.get("word", [b"none"])[0].decode()
facts = [
    f"word {arguments}",
    f"agent {'Chrome' in pn.state.headers['User-Agent']}",
    f"cookie {pn.state.cookies.get('flavour')}",
    f"search {pn.state.location.search}",
    f"user {pn.state.user}",
    f"sessions {pn.state.cache.setdefault('sessions', 0)}",
]
pn.state.cache["sessions"] += 1

names = ["awaited", "held", "after", "unlocked", "coroutine", "locked", "thread", "executed", "scheduled"]
names += ["onload", "loaded"]
pn.Row(
    pn.Column(
        slider,
        pn.bind(lambda n: f"value {n}", slider),
        pn.bind(yields, slider),
        button("await", awaits),
        button("hold", holds),
        button("unlock", unlocks),
        button("unlock and await", unlocks_and_awaits),
        button("keep the lock", keeps_the_lock),
        button("thread", starts_a_thread),
        button("execute", executes),
        button("notify", notifies),
        button("add", adds),
    ),
    pn.Column(*map(line, names), added, *facts),
).servable(title="Callbacks")
