"""The pages of an invented maker of document software: the site the demo runs on."""
