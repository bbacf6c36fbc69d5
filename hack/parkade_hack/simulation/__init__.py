"""`make sim`: recordings of vehicles drawn from public statistics, and the real guard played over them."""
