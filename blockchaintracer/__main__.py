"""`python -m blockchaintracer`: the command line."""

from blockchaintracer.cli import main

if __name__ == "__main__":
    main()
