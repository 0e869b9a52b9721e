"""A CloudWatch dashboard drawn with its data, on AWS and on the local engine, which has no console.

`model` has the dashboard's body as values, `asking` what CloudWatch is asked; `periods`, `charts` and
`drawing` put body and data together as what the page draws. All of these are pure. Expressions are
evaluated where the metrics are: by CloudWatch, or by the local engine. `cloudwatch` is the one door to
the data.
"""
