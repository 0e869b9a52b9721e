"""Front doors: the invoker's aliases, each for one target, with the target's own event and reply."""
