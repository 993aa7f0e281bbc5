"""Single objects from a box and clicks: crops, guidance, training and use of the networks that find them."""
