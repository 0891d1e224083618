"""Records: the frozen dataclasses that are stored, their plain JSON form and their tables. It knows no procedure."""
