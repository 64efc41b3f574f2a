"""Six weeks of invented visitors, sent through the same door as real ones.

``characters.py`` says who comes and what they do, ``acts.py`` does it (hits, forms, clicks, through
``wagtail_ma.flow``), ``clock.py`` plays it all in the order of its dates.
"""
