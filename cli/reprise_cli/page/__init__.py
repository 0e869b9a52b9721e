"""The page: a stack's targets, charts, calls, letters, jobs, policy and runbooks, in a browser.

`server` speaks HTTP on 127.0.0.1, `access` says who may ask what, `routes` has every address, `workbench`
puts the views together, each of which is a module of its own, and `assets` is what the browser runs.
"""
