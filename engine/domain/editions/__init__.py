"""Editions: migration and renaming of dossiers and drafts, replay of closed dossiers, prefilled answers."""
