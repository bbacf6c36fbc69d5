"""What a slot's programs are shut in with: walls of the kernel's, each with a name, each really tried at the start."""
