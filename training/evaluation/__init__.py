"""What `python -m training.evaluate` consists of: sets of questions, records, figures, reports."""
