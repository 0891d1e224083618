"""Working time, access, agent rights, decision, task parts, text provider."""
