"""What the trainer reads: one file per dataset, and how samples become batches."""
