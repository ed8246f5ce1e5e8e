"""Series as pictures, in the terminal and as PNG."""
