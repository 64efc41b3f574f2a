"""Settings modules: ``demo`` to run the site, ``test`` for the suite."""
