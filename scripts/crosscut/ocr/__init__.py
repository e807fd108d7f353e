"""Reads the text on a page with the three PP-OCR models: finds lines, turns those that are upside down, reads them."""
