"""The replay dashboard on this machine: the deployed CloudWatch dashboard, drawn with real data.

`model` has the dashboard's body as values, `asking` what CloudWatch is asked; `periods`, `charts` and
`drawing` put body and data together as what the page draws. All of these are pure. Expressions are
evaluated where the metrics are: by CloudWatch, or by the local engine. `cloudwatch` is the one door to
the data, `server` speaks HTTP on 127.0.0.1, and `assets` is the page.
"""
