"""Project package of the example site."""
