"""Figures and the page that a fleet's month is read from; everything comes from a result folder.

`sim.report.build.build_report` makes them. Naming this package alone costs neither matplotlib nor jinja2.
"""
