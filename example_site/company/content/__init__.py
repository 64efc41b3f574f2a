"""The words of the example site, one package per language, all by the same page paths."""
