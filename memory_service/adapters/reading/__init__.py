"""Text out of files: plain text here, everything that needs a parser in a process of its own."""
