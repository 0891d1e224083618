"""The facts: dossiers, their journal, and the one place that keeps them. Knows no procedure."""
