"""The backlog of a target: when captured objects are expanded into messages of the replay queue."""
