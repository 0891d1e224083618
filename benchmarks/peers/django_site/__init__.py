"""The page of thirty questions with Django: its forms, its ORM, its sessions, its middleware."""
