"""Four years of Seattle weather

A directory app with its own template, theme, style sheet and hooks; `?year=2013` opens that year.
"""

from pathlib import Path

from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, DatetimeTickFormatter, Div, RadioButtonGroup
from bokeh.plotting import figure
from observations import DATE, HIGH, LOW, MEAN, RAIN, YEAR

CARDS = (Path(__file__).parent / "cards.css").read_text()
YEARS = ["2012", "2013", "2014", "2015"]


def days(year: str) -> dict:
    of = year == YEAR
    return {"date": DATE[of], "high": HIGH[of], "low": LOW[of], "mean": MEAN[of], "rain": RAIN[of]}


def cards(data: dict) -> str:
    facts = {
        "hottest day": f"{data['high'].max():.0f} °C",
        "coldest night": f"{data['low'].min():.0f} °C",
        "rain and snow": f"{data['rain'].sum():,.0f} mm",
        "dry days": f"{(data['rain'] == 0).sum()}",
    }
    return "".join(
        ["<div class='cards'>", *(f"<p><b>{value}</b>{name}</p>" for name, value in facts.items()), "</div>"]
    )


def show(year: str) -> None:
    data = days(year)
    for plot in (temperature, rain):
        plot.x_range.update(start=data["date"][0], end=data["date"][-1])
    source.data = data
    facts.text = cards(data)


def choose(attr: str, old: int, new: int) -> None:
    show(YEARS[new])


first = curdoc().session_context.token_payload.get("year", YEARS[-1])

year = RadioButtonGroup(name="year", labels=YEARS, active=YEARS.index(first))
facts = Div(name="facts", sizing_mode="stretch_width", stylesheets=[CARDS])
source = ColumnDataSource(days(first))

temperature = figure(name="temperature", height=320, x_axis_type="datetime", y_axis_label="°C", y_range=(-8, 38))
temperature.varea("date", "low", "high", source=source, color="#f2a541", alpha=0.35)
temperature.line("date", "mean", source=source, color="#e4572e", line_width=3)

rain = figure(name="rain", height=180, x_axis_type="datetime", y_axis_label="mm", y_range=(0, 58))
rain.vbar("date", width=86_400_000, top="rain", source=source, color="#2f6690")

for plot in (temperature, rain):
    plot.update(sizing_mode="stretch_width", toolbar_location=None)
    plot.xaxis.formatter = DatetimeTickFormatter(months="%B")

show(first)
year.on_change("active", choose)

curdoc().title = "Seattle weather"
curdoc().template_variables["days"] = f"{len(DATE):,}"
for root in (year, facts, temperature, rain):
    curdoc().add_root(root)
