"""What we are compared with: a bare Django project. It imports nothing of wagtail_ma."""
