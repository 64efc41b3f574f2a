"""Background work: when the flow runs. Only ``jobs/queue.py`` knows django-q2.

The tables are the queue of record; a job takes no argument and picks its work from them. The same
:func:`tick` runs from django-q2 and from ``manage.py ma_tick``.
"""
