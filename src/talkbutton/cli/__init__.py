"""What an operator types: parse, call one function, show the result."""
