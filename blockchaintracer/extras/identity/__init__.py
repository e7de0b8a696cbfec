"""Who a key is: claims, and what the other side says of them."""
