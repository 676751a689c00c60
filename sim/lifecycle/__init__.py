"""What a VM can be and do: the facts of the source document as read-only tables, and nothing that moves."""
