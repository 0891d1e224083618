"""PDF documents through Typst, QR codes and iCalendar files."""
