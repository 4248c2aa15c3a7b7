"""Facts in words: checks, reasons, conclusions. The only place where sentences about them are made; nothing reads them back."""
