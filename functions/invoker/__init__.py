"""The invoker: the front door of calls."""
