import panel as pn

slider = pn.widgets.IntSlider(name="x", start=0, end=10, value=2)
template = pn.template.MaterialTemplate(title="MaterialTemplate", sidebar=[slider])
template.main.append(pn.bind(lambda x: f"twice is {2 * x}", slider))
template.servable()
