"""Look at a dataset: tables, plots, a contact sheet, and a page for the browser."""
