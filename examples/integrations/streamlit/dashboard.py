"""A Streamlit script. The Bokeh app in its frame is served by the same process."""

import streamlit as st

st.title("Streamlit and Bokeh")
number = st.slider("Number", 0, 10, 4)
st.write(f"Streamlit says {number * number}.")
st.iframe("/apps/wave", height=460)
