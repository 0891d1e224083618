"""Field types, raw answers, field views, evaluation scope, display."""
