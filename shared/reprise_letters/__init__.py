"""Dead letters, and jobs that redrive or discard them: for the command, and for the stack."""
