"""Renderers: HTML, PDF, text, the command line and the web site. Domain rules and storage are in `engine`."""
