"""Crosswalks: versioned tables from the codes of one system to those of another. Data only; an analyst may edit them."""
