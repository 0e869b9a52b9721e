"""The release: what `make release` writes into dist/release, the same bytes of the same sources."""
