"""The two stages of replay: unpacker and replayer, deployed as two functions."""
