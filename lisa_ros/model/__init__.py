"""The network, its tokenizer, prompts, preprocessing and checkpoints. torch and transformers."""
