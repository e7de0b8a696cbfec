"""Programs of other worlds, recorded and reproduced as they are: whether every verdict is right, and what it takes."""
