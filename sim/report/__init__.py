"""From a finished run to what people read: record, measures, tables, plots, page.

Nothing heavy is imported here: a run in a sweep needs `measures` and `record`, and neither pandas
nor Plotly.
"""
