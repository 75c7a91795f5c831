"""The torch engine: checkpoint, int4, decoder, caches, scheduler, runner. Import it through engine/create.py only."""

DEFAULT_CACHE_BYTES = 256 * 1024 * 1024
