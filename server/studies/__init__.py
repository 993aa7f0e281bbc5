"""Studies: experiments by name that produce the tables and figures of the papers, on whatever data is given.

A study is a TOML file in catalogue/: what it asks, and rows that are compared, each with a training and an annotator.
`run.py` trains what is missing, measures it and keeps every result; `report.py` makes CSV, PNG and Markdown of them.
"""
