//! What a person or a machine reads: terminal, JSON, Markdown, workflow commands.
