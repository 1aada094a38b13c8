"""What a lab gains by labelling its own frames: `python -m benchmarks.lab_finetune`."""
