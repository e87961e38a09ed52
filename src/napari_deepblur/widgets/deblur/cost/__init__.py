"""What a click will take, said before it: time and memory."""
