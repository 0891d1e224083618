"""The engine: what a procedure says, what was done, and the rules between them. Knows no HTTP, no HTML, no French."""
