"""Where the vehicle's signals come from."""
