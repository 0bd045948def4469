"""What a sentence claims: figures and dates, names, who does what to whom, and denials."""
