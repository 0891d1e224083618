"""The same page, and the same circuit of acts, written with other tools. `README.md` says what each lacks."""
