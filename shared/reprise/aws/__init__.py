"""One adapter per AWS service: the only place in the package that talks to AWS."""
