"""Sources: who may sign captured calls, for which targets, with which keys."""
